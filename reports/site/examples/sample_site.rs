//! Writes a site with invented figures, to look at: `cargo run -p goyong-site --example sample_site -- /tmp/site`.

#[path = "../tests/support/mod.rs"]
mod support;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let out = std::env::args().nth(1).ok_or("name the folder to write")?;
    let summary = goyong_site::render(&support::inputs(), std::path::Path::new(&out))?;
    println!("{summary:#?}");
    Ok(())
}
