//! A ledger in PostgreSQL behind a network.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::path::Path;
use std::process::Command;

use super::places::Server;
use crate::{Ledger, SchedulerError};

fn openssl(folder: &Path, arguments: &str) {
    let made = Command::new("openssl")
        .args(arguments.split(' '))
        .current_dir(folder)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&made.stderr).into_owned();
    assert!(made.status.success(), "{arguments}: {said}");
}

/// An authority, a server's certificate that it signed for this machine's address, and another authority.
fn certificates(folder: &Path) {
    let key = "-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes";
    for name in ["authority", "other"] {
        let request =
            format!("req -x509 {key} -keyout {name}.key -out {name}.pem -days 2 -subj /CN={name}");
        openssl(folder, &request);
    }
    openssl(
        folder,
        &format!("req {key} -keyout server.key -out server.csr -subj /CN=server"),
    );
    std::fs::write(folder.join("names"), "subjectAltName=IP:127.0.0.1\n").unwrap();
    openssl(
        folder,
        "x509 -req -in server.csr -CA authority.pem -CAkey authority.key -CAcreateserial -days 2 -out server.pem -extfile names",
    );
}

async fn refusal(address: &str) -> SchedulerError {
    Ledger::open(&address.parse().unwrap()).await.unwrap_err()
}

fn chain(error: &dyn std::error::Error) -> String {
    match error.source() {
        Some(source) => format!("{error}: {}", chain(source)),
        None => error.to_string(),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connection_is_encrypted_to_whom_the_authority_vouches_for_alone() {
    let port = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    let elsewhere = tempfile::tempdir().unwrap();
    certificates(elsewhere.path());
    let server = Server::start_with(|folder| {
        for name in ["server.pem", "server.key"] {
            std::fs::copy(elsewhere.path().join(name), folder.join(name)).unwrap();
        }
        let file = |name: &str| folder.join(name).display().to_string();
        let settings = [
            "listen_addresses=127.0.0.1".to_owned(),
            format!("port={port}"),
            "ssl=on".to_owned(),
            format!("ssl_cert_file={}", file("server.pem")),
            format!("ssl_key_file={}", file("server.key")),
        ];
        settings
            .into_iter()
            .flat_map(|it| ["-c".to_owned(), it])
            .collect()
    });
    let authority = |name: &str| elsewhere.path().join(name).display().to_string();
    let at = |host: &str, name: &str| {
        format!(
            "postgresql://goyong@{host}:{port}/postgres?sslmode=verify-full&sslrootcert={}",
            authority(name)
        )
    };
    let address = at("127.0.0.1", "authority.pem");
    let ledger = Ledger::open(&address.parse().unwrap()).await.unwrap();
    let encrypted = "select count(*) from pg_stat_ssl where pid = pg_backend_pid() and ssl";
    let rows = ledger.database.query(encrypted, &[]).await.unwrap();
    assert_eq!(rows[0].integer(0).unwrap(), 1);

    // Signed by somebody else; signed for another name.
    let refused = [
        (at("127.0.0.1", "other.pem"), "UnknownIssuer"),
        (at("localhost", "authority.pem"), "not valid for name"),
    ];
    for (address, expected) in refused {
        let error = refusal(&address).await;
        let said = chain(&error);
        assert!(said.contains("cannot be encrypted"), "{said}");
        assert!(
            said.contains(expected) && said.contains("sslrootcert"),
            "{said}"
        );
        assert!(!error.is_retryable(), "{said}");
    }
    drop(server);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn server_without_encryption_gets_no_password() {
    let folder = tempfile::tempdir().unwrap();
    certificates(folder.path());
    let server = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = server.local_addr().unwrap().port();
    let served = std::thread::spawn(move || {
        let (mut client, _) = server.accept().unwrap();
        client.read_exact(&mut [0; 8]).unwrap();
        client.write_all(b"N").unwrap();
        let mut rest = Vec::new();
        client.read_to_end(&mut rest).unwrap();
        rest
    });
    let authority = folder.path().join("authority.pem");
    let address = format!(
        "host=127.0.0.1 port={port} user=goyong password=hush sslmode=require sslrootcert={}",
        authority.display()
    );
    let said = chain(&refusal(&address).await);
    assert!(
        said.contains("cannot be encrypted") && !said.contains("hush"),
        "{said}"
    );
    assert_eq!(served.join().unwrap(), Vec::<u8>::new());
}
