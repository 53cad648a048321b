use std::sync::mpsc::{Receiver, sync_channel};

use crate::config::BLOCK_PERSONS;
use crate::deliver::{BlockOutput, Landing};
use crate::national;
use crate::registers::{BlockRegisters, RegisterFiles};
use crate::scenario::Scenario;
use crate::truth::TruthFolder;
use crate::world::{self, Residents};
use crate::{Progress, SimulationConfig, SimulationError, SimulationSummary};

/// What a worker hands to the writer.
pub(crate) struct FinishedBlock {
    pub output: BlockOutput,
    pub residents: Residents,
    pub registers: BlockRegisters,
}

/// Plays the country and writes its deliveries and the truth. `progress` is called after each
/// block from the calling thread.
pub fn simulate(
    config: &SimulationConfig,
    progress: &dyn Fn(Progress),
) -> Result<SimulationSummary, SimulationError> {
    config.check()?;
    let scenario = Scenario::new(config)?;
    let blocks = config.blocks();
    let threads = (config.threads.max(1) as u64).min(blocks);
    let mut landing = Landing::create(&scenario, &config.landing)?;
    let mut truth = TruthFolder::create(&scenario, &config.truth)?;
    let mut registers = RegisterFiles::create(&scenario, config)?;
    let mut residents = Residents::new(&scenario);
    let mut summary = SimulationSummary {
        persons: config.persons,
        ..Default::default()
    };

    std::thread::scope(|scope| {
        // Worker w plays the blocks w, w + threads, …; taking them in turn keeps the block order
        // and lets no worker run more than a block ahead.
        let finished: Vec<Receiver<FinishedBlock>> = (0..threads)
            .map(|worker| {
                let (sender, receiver) = sync_channel(1);
                let scenario = &scenario;
                scope.spawn(move || {
                    for block in (worker..blocks).step_by(threads as usize) {
                        let persons = BLOCK_PERSONS.min(config.persons - block * BLOCK_PERSONS);
                        let finished = world::play(scenario, block as u32, persons as usize);
                        if sender.send(finished).is_err() {
                            return;
                        }
                    }
                });
                receiver
            })
            .collect();
        for block in 0..blocks {
            let receiver = &finished[(block % threads) as usize];
            let block_done = receiver.recv().map_err(|_| SimulationError::Worker)?;
            landing.append(&block_done.output)?;
            truth.append(&block_done.output)?;
            registers.append(&block_done.registers)?;
            residents.add(&block_done.residents);
            progress(Progress {
                persons_done: (BLOCK_PERSONS * (block + 1)).min(config.persons),
                persons_total: config.persons,
                rows: landing.rows,
                bytes: landing.bytes,
            });
        }
        Ok(())
    })?;

    residents.write(&scenario, &mut landing)?;
    landing.finish(&mut summary)?;
    national::write(&scenario, config, &mut summary)?;
    registers.finish(&mut summary)?;
    summary.rows_by_source.sort();
    summary.frauds = truth.finish()?;
    Ok(summary)
}
