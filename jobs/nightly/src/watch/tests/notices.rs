//! Notices by webhook and mail.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use chrono_tz::Tz;
use goyong_scheduler::{Notice, NoticeKind, NoticeSender};
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::{RootCertStore, ServerConfig, crypto};

use super::super::{NoticeLanguage, NotifyTarget, Sender, mail, text};
use super::{at, receiver};

fn notice(kind: NoticeKind) -> Notice {
    let facts = [
        ("steps", "build_tables"),
        ("reason", "check_failed"),
        ("deadline", "2026-06-01T21:00:00+00:00"),
        ("standing", "running"),
        ("step", "ingest_deliveries"),
        ("figure", "rows_quarantined"),
        ("value", "120"),
        ("limit", "100"),
    ];
    Notice {
        id: format!("{}:night-20260601T173000Z:1:ops", kind.word()),
        kind,
        plan: "night".to_owned(),
        scheduled_at: at("2026-06-01T17:30:00Z"),
        run_id: Some("night-20260601T173000Z".to_owned()),
        target: "ops".to_owned(),
        facts: facts
            .map(|(name, word)| (name.to_owned(), word.to_owned()))
            .into(),
        decided_at: at("2026-06-01T18:00:00Z"),
        attempts: 1,
    }
}

fn sender(target: NotifyTarget) -> Sender {
    target.check("ops").unwrap();
    let zones = BTreeMap::from([("night".to_owned(), Tz::Asia__Seoul)]);
    Sender::new("demo", BTreeMap::from([("ops".to_owned(), target)]), zones)
}

fn secret_file(folder: &Path, text: &str) -> std::path::PathBuf {
    let file = folder.join("secret");
    std::fs::write(&file, format!("{text}\n")).unwrap();
    file
}

#[tokio::test]
async fn a_webhook_gets_json_with_a_token_and_one_name_for_every_attempt() {
    let folder = tempfile::tempdir().unwrap();
    let (address, mut posted) = receiver(&[503, 200]).await;
    let sender = sender(NotifyTarget {
        webhook: Some(format!("http://{address}/hook")),
        token_file: Some(secret_file(folder.path(), "s3cret")),
        ..NotifyTarget::default()
    });
    let notice = notice(NoticeKind::Failed);
    let refused = sender.send(&notice).await.unwrap_err();
    assert!(refused.contains("the server answered 503"), "{refused}");
    assert!(!refused.contains("s3cret"), "{refused}");
    sender.send(&notice).await.unwrap();
    let (first, second) = (posted.recv().await.unwrap(), posted.recv().await.unwrap());
    assert_eq!(
        first.headers["idempotency-key"],
        second.headers["idempotency-key"]
    );
    assert_eq!(second.headers["authorization"], "Bearer s3cret");
    assert_eq!(second.path, "/hook");
    assert_eq!(second.body["kind"], "failed");
    assert_eq!(second.body["run"], "night-20260601T173000Z");
    assert_eq!(second.body["facts"]["steps"], "build_tables");
    let text = second.body["text"].as_str().unwrap();
    assert!(
        text.contains("2026-06-02 02:30 KST 예정 night 실행이 실패했습니다"),
        "{text}"
    );
    assert!(
        text.contains("The run of night due at 2026-06-02 02:30 KST failed"),
        "{text}"
    );
}

#[test]
fn every_kind_is_told_in_both_languages_or_one() {
    for kind in [
        NoticeKind::Failed,
        NoticeKind::DeadlineMissed,
        NoticeKind::Recovered,
        NoticeKind::OverLimit,
        NoticeKind::Test,
    ] {
        let text = |language| text::text(&notice(kind), "demo", Tz::Asia__Seoul, language);
        let is_korean = |text: &str| text.chars().any(|letter| ('가'..='힣').contains(&letter));
        let (both, ko, en) = (
            text(NoticeLanguage::Both),
            text(NoticeLanguage::Ko),
            text(NoticeLanguage::En),
        );
        assert!(is_korean(&ko.subject) && is_korean(&ko.body));
        assert!(!is_korean(&en.subject) && !is_korean(&en.body), "{en:?}");
        assert!(both.body.contains(ko.body.trim()) && both.body.contains(en.body.trim()));
        assert!(!both.subject.contains('\n'));
    }
    let deadline = text::text(
        &notice(NoticeKind::DeadlineMissed),
        "demo",
        Tz::Asia__Seoul,
        NoticeLanguage::En,
    );
    assert!(
        deadline
            .body
            .contains("by its deadline, 2026-06-02 06:00 KST"),
        "{}",
        deadline.body
    );
}

/// What a mail server is told until the other side ends, or asks for encryption.
async fn converse<S: AsyncRead + AsyncWrite + Unpin>(
    stream: &mut BufReader<S>,
    greets: bool,
    offers: &str,
) -> Vec<String> {
    if greets {
        stream.write_all(b"220 test\r\n").await.unwrap();
    }
    let (mut heard, mut in_data) = (Vec::new(), false);
    loop {
        let mut line = String::new();
        if stream.read_line(&mut line).await.unwrap_or(0) == 0 {
            return heard;
        }
        let line = line.trim_end().to_owned();
        let answer = match line.split(' ').next().unwrap() {
            "." if in_data => {
                in_data = false;
                "250 taken\r\n"
            }
            _ if in_data => "",
            "EHLO" => offers,
            "AUTH" => "235 welcome\r\n",
            "STARTTLS" => "220 go on\r\n",
            "DATA" => {
                in_data = true;
                "354 go on\r\n"
            }
            "QUIT" => "221 bye\r\n",
            _ => "250 ok\r\n",
        };
        stream.write_all(answer.as_bytes()).await.unwrap();
        stream.flush().await.unwrap();
        let is_end = line == "STARTTLS";
        heard.push(line);
        if is_end {
            return heard;
        }
    }
}

/// A mail server that takes one mail in the clear and tells what it was told.
async fn mail_server(offers: &'static str) -> (SocketAddr, tokio::task::JoinHandle<Vec<String>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let talking = tokio::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        converse(&mut BufReader::new(stream), true, offers).await
    });
    (address, talking)
}

/// A certificate for `localhost`, and a mail server that has it: it encrypts from the first byte or after it was asked.
async fn encrypting_server(
    folder: &Path,
    from_the_start: bool,
) -> (
    SocketAddr,
    RootCertStore,
    tokio::task::JoinHandle<Vec<String>>,
) {
    let (certificate, key) = (folder.join("certificate.pem"), folder.join("key.pem"));
    let wanted = folder.join("wanted.cnf");
    let text = "[req]\ndistinguished_name = name\nx509_extensions = extensions\nprompt = no\n\
         [name]\nCN = localhost\n\
         [extensions]\nsubjectAltName = DNS:localhost\nbasicConstraints = critical, CA:FALSE\n";
    std::fs::write(&wanted, text).unwrap();
    let made = std::process::Command::new("openssl")
        .args(["req", "-x509", "-nodes", "-newkey", "ec"])
        .args(["-pkeyopt", "ec_paramgen_curve:P-256", "-config"])
        .arg(&wanted)
        .arg("-keyout")
        .arg(&key)
        .arg("-out")
        .arg(&certificate)
        .output()
        .unwrap();
    assert!(
        made.status.success(),
        "{}",
        String::from_utf8_lossy(&made.stderr)
    );
    let certificate = CertificateDer::from_pem_file(&certificate).unwrap();
    let mut roots = RootCertStore::empty();
    roots.add(certificate.clone()).unwrap();
    let key = PrivateKeyDer::from_pem_file(&key).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key)
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let talking = tokio::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        let mut stream = BufReader::new(stream);
        let mut heard = Vec::new();
        if !from_the_start {
            heard = converse(&mut stream, true, "250-test\r\n250 STARTTLS\r\n").await;
        }
        let Ok(stream) = acceptor.accept(stream.into_inner()).await else {
            return heard;
        };
        let offers = "250-test\r\n250 AUTH PLAIN\r\n";
        heard.extend(converse(&mut BufReader::new(stream), from_the_start, offers).await);
        heard
    });
    (address, roots, talking)
}

fn mail_target(smtp: String) -> NotifyTarget {
    NotifyTarget {
        smtp: Some(smtp),
        from: Some("goyong@example.org".to_owned()),
        to: vec![
            "night@example.org".to_owned(),
            "야간 <ops@example.org>".to_owned(),
        ],
        ..NotifyTarget::default()
    }
}

#[tokio::test]
async fn a_mail_goes_to_every_receiver_with_the_password_of_a_file() {
    let folder = tempfile::tempdir().unwrap();
    let (address, talking) = mail_server("250-test\r\n250 AUTH PLAIN LOGIN\r\n").await;
    let sender = sender(NotifyTarget {
        user: Some("goyong".to_owned()),
        password_file: Some(secret_file(folder.path(), "s3cret")),
        language: NoticeLanguage::En,
        ..mail_target(format!("smtp://{address}"))
    });
    sender.send(&notice(NoticeKind::Recovered)).await.unwrap();
    let heard = talking.await.unwrap();
    let has = |text: &str| heard.iter().any(|line| line.contains(text));
    // AUTH PLAIN is \0user\0password in base 64 (RFC 4616).
    assert!(has("AUTH PLAIN AGdveW9uZwBzM2NyZXQ="), "{heard:?}");
    assert!(has("MAIL FROM:<goyong@example.org>"), "{heard:?}");
    assert!(has("RCPT TO:<night@example.org>") && has("RCPT TO:<ops@example.org>"));
    assert!(
        has("Message-ID: <recovered.night-20260601T173000Z.1.ops@example.org>"),
        "{heard:?}"
    );
    assert!(has("Subject: [demo] night recovered"), "{heard:?}");
    assert!(has("Content-Transfer-Encoding: base64"));
}

#[tokio::test]
async fn a_mail_server_without_the_wanted_encryption_gets_no_password() {
    let (address, talking) = mail_server("250-test\r\n250 AUTH PLAIN\r\n").await;
    let sender = sender(mail_target(format!("smtp+starttls://{address}")));
    let refused = sender.send(&notice(NoticeKind::Failed)).await.unwrap_err();
    assert!(refused.contains("offers no encryption"), "{refused}");
    assert_eq!(talking.await.unwrap(), ["EHLO goyong"]);
}

#[test]
fn targets_that_cannot_work_are_refused_with_their_name() {
    let cases = [
        (NotifyTarget::default(), "neither `smtp` nor `webhook`"),
        (
            mail_target("smtp://mail.example.org".to_owned()),
            "would not be encrypted",
        ),
        (
            mail_target("mail.example.org".to_owned()),
            "no address of a mail server",
        ),
        (
            mail_target("smtps://u:p@mail.example.org".to_owned()),
            "`password_file`",
        ),
        (
            NotifyTarget {
                to: vec!["nobody".to_owned()],
                ..mail_target("smtps://mail.example.org".to_owned())
            },
            "`nobody` is no mail address",
        ),
        (
            NotifyTarget {
                user: Some("goyong".to_owned()),
                ..mail_target("smtps://mail.example.org".to_owned())
            },
            "belong together",
        ),
        (
            NotifyTarget {
                webhook: Some("ftp://example.org".to_owned()),
                ..NotifyTarget::default()
            },
            "neither https nor http",
        ),
        (
            NotifyTarget {
                webhook: Some("https://example.org".to_owned()),
                to: vec!["a@example.org".to_owned()],
                ..NotifyTarget::default()
            },
            "`to` is for mail",
        ),
    ];
    for (target, message) in cases {
        let error = format!("{:#}", target.check("ops").unwrap_err());
        assert!(
            error.contains(message) && error.contains("[notify.ops]"),
            "{error}"
        );
    }
}

#[tokio::test]
async fn a_mail_is_encrypted_from_the_first_byte_or_after_the_server_was_asked() {
    for (scheme, from_the_start) in [("smtps", true), ("smtp+starttls", false)] {
        let folder = tempfile::tempdir().unwrap();
        let (address, roots, talking) = encrypting_server(folder.path(), from_the_start).await;
        let target = NotifyTarget {
            user: Some("goyong".to_owned()),
            password_file: Some(secret_file(folder.path(), "s3cret")),
            ..mail_target(format!("{scheme}://localhost:{}", address.port()))
        };
        target.check("ops").unwrap();
        let text = text::text(
            &notice(NoticeKind::Failed),
            "demo",
            Tz::Asia__Seoul,
            NoticeLanguage::Both,
        );
        mail::send_trusting(&target, &text, "id", roots)
            .await
            .unwrap();
        let heard = talking.await.unwrap();
        assert!(
            heard.iter().any(|line| line.starts_with("AUTH PLAIN ")),
            "{heard:?}"
        );
        assert!(heard.iter().any(|line| line == "."), "{heard:?}");
        let before = heard.iter().position(|line| line == "STARTTLS");
        assert_eq!(before, (!from_the_start).then_some(1));
    }
}

#[tokio::test]
async fn a_mail_server_with_an_unknown_certificate_gets_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let (address, _, talking) = encrypting_server(folder.path(), true).await;
    let target = mail_target(format!("smtps://localhost:{}", address.port()));
    let text = text::text(
        &notice(NoticeKind::Failed),
        "demo",
        Tz::Asia__Seoul,
        NoticeLanguage::Both,
    );
    let nobody = RootCertStore::empty();
    let refused = mail::send_trusting(&target, &text, "id", nobody)
        .await
        .unwrap_err();
    assert!(
        format!("{refused:#}").contains("encrypt the connection to localhost"),
        "{refused:#}"
    );
    assert!(talking.await.unwrap().is_empty());
}
