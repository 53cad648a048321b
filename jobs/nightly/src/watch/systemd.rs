//! The service manager is told: ready, stopping, and that the loop turns (sd_notify(3): a datagram to `NOTIFY_SOCKET`).

use std::io;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::time::Duration;

/// The way to the service manager; does nothing where there is none.
#[derive(Debug, Default)]
pub(crate) struct ServiceManager {
    socket: Option<(UnixDatagram, SocketAddr)>,
    watchdog: Option<Duration>,
}

impl ServiceManager {
    /// The service manager that started this process.
    pub(crate) fn from_environment() -> Self {
        let text = |name: &str| std::env::var(name).ok();
        // Another process's watchdog is not ours to feed.
        let is_ours = text("WATCHDOG_PID").is_none_or(|pid| pid == std::process::id().to_string());
        let watchdog = text("WATCHDOG_USEC").filter(|_| is_ours);
        let connected =
            std::env::var_os("NOTIFY_SOCKET").map(|path| Self::connect(path.as_bytes()));
        let socket = connected.and_then(|connected| match connected {
            Ok(socket) => Some(socket),
            Err(error) => {
                tracing::warn!("the service manager cannot be told anything: {error}");
                None
            }
        });
        Self {
            socket,
            watchdog: watchdog
                .and_then(|us| us.parse().ok())
                .map(Duration::from_micros),
        }
    }

    fn connect(path: &[u8]) -> io::Result<(UnixDatagram, SocketAddr)> {
        let address = match path.split_first() {
            Some((b'@', name)) => SocketAddr::from_abstract_name(name)?,
            _ => SocketAddr::from_pathname(std::ffi::OsStr::from_bytes(path))?,
        };
        let socket = UnixDatagram::unbound()?;
        // A manager that does not listen holds nothing up.
        socket.set_nonblocking(true)?;
        Ok((socket, address))
    }

    /// How often the loop has to turn at least to be taken for alive with some room.
    pub(crate) fn longest_turn(&self) -> Option<Duration> {
        self.watchdog.map(|watchdog| watchdog / 3)
    }

    /// Startup is over.
    pub(crate) fn ready(&self, status: &str) {
        self.tell(&format!("READY=1\nSTATUS={}", one_line(status)));
    }

    /// The loop has turned once.
    pub(crate) fn turned(&self, status: &str) {
        let watchdog = if self.watchdog.is_some() {
            "WATCHDOG=1\n"
        } else {
            ""
        };
        self.tell(&format!("{watchdog}STATUS={}", one_line(status)));
    }

    /// It ends on purpose.
    pub(crate) fn stopping(&self) {
        self.tell("STOPPING=1\nSTATUS=giving runs back");
    }

    fn tell(&self, message: &str) {
        if let Some((socket, address)) = &self.socket
            && let Err(error) = socket.send_to_addr(message.as_bytes(), address)
        {
            tracing::debug!("the service manager was not told: {error}");
        }
    }
}

fn one_line(status: &str) -> String {
    status.replace(['\n', '\r'], " ")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn heard(socket: &UnixDatagram) -> String {
        let mut buffer = [0; 512];
        let length = socket.recv(&mut buffer).unwrap();
        String::from_utf8(buffer[..length].to_vec()).unwrap()
    }

    #[test]
    fn the_service_manager_hears_ready_each_turn_and_the_end() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("notify");
        let manager = UnixDatagram::bind(&path).unwrap();
        let mut service = ServiceManager {
            socket: Some(ServiceManager::connect(path.as_os_str().as_bytes()).unwrap()),
            watchdog: Some(Duration::from_secs(30)),
        };
        service.ready("2 plans");
        assert_eq!(heard(&manager), "READY=1\nSTATUS=2 plans");
        service.turned("next night\nat 02:30");
        assert_eq!(heard(&manager), "WATCHDOG=1\nSTATUS=next night at 02:30");
        assert_eq!(service.longest_turn(), Some(Duration::from_secs(10)));
        // Without a watchdog none is fed.
        service.watchdog = None;
        service.turned("idle");
        assert_eq!(heard(&manager), "STATUS=idle");
        service.stopping();
        assert!(heard(&manager).starts_with("STOPPING=1\n"));
        // A manager that does not listen, or went away, stops nothing.
        for _ in 0..2_000 {
            service.turned("idle");
        }
        drop(manager);
        service.turned("idle");
    }

    #[test]
    fn a_name_that_begins_with_an_at_sign_is_no_file() {
        let name = format!("goyong-test-{}", std::process::id());
        let address = SocketAddr::from_abstract_name(&name).unwrap();
        let manager = UnixDatagram::bind_addr(&address).unwrap();
        let service = ServiceManager {
            socket: Some(ServiceManager::connect(format!("@{name}").as_bytes()).unwrap()),
            watchdog: None,
        };
        service.stopping();
        assert!(heard(&manager).starts_with("STOPPING=1"));
    }
}
