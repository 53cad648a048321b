//! How an S3-compatible store is reached: a URL, and the standard AWS variables and files.
//!
//! Credentials never stand in a URL or in `goyong.toml`. They come from the first of
//!
//! 1. `AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY` and `AWS_SESSION_TOKEN`, or each with `_FILE` naming a file,
//! 2. `AWS_WEB_IDENTITY_TOKEN_FILE` with `AWS_ROLE_ARN`,
//! 3. the profile `AWS_PROFILE` of `AWS_SHARED_CREDENTIALS_FILE` (`~/.aws/credentials`),
//! 4. a container's or machine's role, where the variable that says where to ask for it is set.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use object_store::aws::{AmazonS3, AmazonS3Builder, AmazonS3ConfigKey};
use object_store::client::SpawnedReqwestConnector;
use object_store::path::Path as ObjectPath;
use object_store::{BackoffConfig, ClientOptions, RetryConfig};
use url::Url;

use super::remote::{Patience, runtime};

type Result<T> = std::result::Result<T, String>;

const SECRETS: [&str; 3] = [
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
];

/// Variables that say where a role's credentials are asked for; without one of them no other machine is asked.
const ROLES: [&str; 4] = [
    "AWS_WEB_IDENTITY_TOKEN_FILE",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
    "AWS_METADATA_ENDPOINT",
];

/// A place in a store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) bucket: String,
    pub(super) prefix: ObjectPath,
}

impl Place {
    /// Reads `s3://bucket/prefix`.
    pub(super) fn parse(url: &str) -> Result<Self> {
        let wrong = || format!("`{}` is no s3://bucket/prefix", without_credentials(url));
        let parsed = Url::parse(url).map_err(|_| wrong())?;
        if !parsed.username().is_empty() || parsed.password().is_some() {
            return Err(
                "the URL holds credentials: take them out, and set AWS_ACCESS_KEY_ID_FILE and AWS_SECRET_ACCESS_KEY_FILE"
                    .to_owned(),
            );
        }
        let is_plain = parsed.query().is_none() && parsed.fragment().is_none();
        match parsed.host_str() {
            Some(bucket) if parsed.scheme() == "s3" && is_plain => Ok(Self {
                bucket: bucket.to_owned(),
                prefix: ObjectPath::from_url_path(parsed.path()).map_err(|_| wrong())?,
            }),
            _ => Err(wrong()),
        }
    }

    /// The URL without a slash at its end.
    pub(super) fn url(&self) -> String {
        match self.prefix.as_ref() {
            "" => format!("s3://{}", self.bucket),
            prefix => format!("s3://{}/{prefix}", self.bucket),
        }
    }
}

/// A location as it may be shown.
pub(crate) fn without_credentials(location: &str) -> String {
    match Url::parse(location) {
        Ok(mut url) if !url.username().is_empty() || url.password().is_some() => {
            let _ = url.set_username("");
            let _ = url.set_password(None);
            url.to_string()
        }
        _ => location.to_owned(),
    }
}

/// A client of the bucket.
pub(super) fn client(
    place: &Place,
    variables: &BTreeMap<String, String>,
    patience: Patience,
) -> Result<AmazonS3> {
    let values = values(variables)?;
    let (connecting, answering, max_retries) = match patience {
        Patience::Work => (10, 120, 5),
        Patience::Question => (5, 15, 0),
    };
    let mut builder = AmazonS3Builder::new().with_client_options(
        ClientOptions::new()
            .with_connect_timeout(Duration::from_secs(connecting))
            .with_timeout(Duration::from_secs(answering)),
    );
    for (key, value) in values {
        builder = builder.with_config(key, value);
    }
    builder
        .with_bucket_name(&place.bucket)
        .with_http_connector(SpawnedReqwestConnector::new(runtime()?))
        .with_retry(RetryConfig {
            backoff: BackoffConfig {
                max_backoff: Duration::from_secs(5),
                ..BackoffConfig::default()
            },
            max_retries,
            retry_timeout: Duration::from_secs(60),
        })
        .build()
        .map_err(|problem| format!("cannot be used: {problem}"))
}

/// What the variables say, with the credentials that files hold.
fn values(variables: &BTreeMap<String, String>) -> Result<Vec<(AmazonS3ConfigKey, String)>> {
    let mut variables = variables.clone();
    for secret in SECRETS {
        let Some(file) = variables.remove(&format!("{secret}_FILE")) else {
            continue;
        };
        if variables.contains_key(secret) {
            return Err(format!("{secret} and {secret}_FILE are both set: keep one"));
        }
        let text = std::fs::read_to_string(&file)
            .map_err(|problem| format!("{secret}_FILE names {file}: {problem}"))?;
        variables.insert(secret.to_owned(), text.trim().to_owned());
    }
    let has = |name: &str| variables.contains_key(name);
    if has(SECRETS[0]) != has(SECRETS[1]) {
        return Err(format!(
            "{} and {} belong together: set both",
            SECRETS[0], SECRETS[1]
        ));
    }
    if !has(SECRETS[0]) && !has(ROLES[0]) {
        for (name, value) in profile(&variables)? {
            variables.insert(name.to_owned(), value);
        }
    }
    let has = |name: &&str| variables.contains_key(*name);
    if !has(&SECRETS[0]) && !ROLES.iter().any(has) {
        return Err(format!(
            "there are no credentials: set {} and {}, or each with _FILE, or AWS_SHARED_CREDENTIALS_FILE",
            SECRETS[0], SECRETS[1]
        ));
    }
    let is_allowed = variables
        .get("AWS_ALLOW_HTTP")
        .is_some_and(|value| matches!(value.to_lowercase().as_str(), "true" | "1" | "yes"));
    for name in ["AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT"] {
        let is_plain = variables
            .get(name)
            .is_some_and(|url| url.starts_with("http://"));
        if is_plain && !is_allowed {
            return Err(format!(
                "{name} is http://, so rows would travel unencrypted: use https://, or set AWS_ALLOW_HTTP=true where the network is your own"
            ));
        }
    }
    let known = variables.into_iter().filter_map(|(name, value)| {
        let key: AmazonS3ConfigKey = name.to_lowercase().parse().ok()?;
        Some((key, value))
    });
    Ok(known.collect())
}

/// Credentials of a profile in the shared file; none where there is no such file.
fn profile(variables: &BTreeMap<String, String>) -> Result<Vec<(&'static str, String)>> {
    let named = variables.get("AWS_SHARED_CREDENTIALS_FILE");
    let file = match (named, variables.get("HOME")) {
        (Some(file), _) => PathBuf::from(file),
        (None, Some(home)) => PathBuf::from(home).join(".aws/credentials"),
        (None, None) => return Ok(Vec::new()),
    };
    let text = match std::fs::read_to_string(&file) {
        Ok(text) => text,
        Err(_) if named.is_none() => return Ok(Vec::new()),
        Err(problem) => {
            return Err(format!(
                "AWS_SHARED_CREDENTIALS_FILE names {}: {problem}",
                file.display()
            ));
        }
    };
    let wanted = variables
        .get("AWS_PROFILE")
        .map_or("default", String::as_str);
    let mut section = "";
    let mut found = Vec::new();
    for line in text.lines().map(str::trim) {
        if let Some(name) = line
            .strip_prefix('[')
            .and_then(|line| line.strip_suffix(']'))
        {
            section = name.trim();
        } else if section == wanted
            && let Some((name, value)) = line.split_once('=')
            && let Some(secret) = SECRETS
                .iter()
                .find(|secret| secret.eq_ignore_ascii_case(name.trim()))
        {
            found.push((*secret, value.trim().to_owned()));
        }
    }
    if found.is_empty() && (named.is_some() || variables.contains_key("AWS_PROFILE")) {
        return Err(format!(
            "profile `{wanted}` has no credentials in {}",
            file.display()
        ));
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn variables(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        let pairs = pairs.iter();
        pairs
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect()
    }

    fn value(values: &[(AmazonS3ConfigKey, String)], key: AmazonS3ConfigKey) -> Option<&str> {
        let found = values.iter().find(|(known, _)| *known == key);
        found.map(|(_, value)| value.as_str())
    }

    #[test]
    fn place_is_a_bucket_and_a_prefix_and_anything_else_is_refused_without_its_secret() {
        let place = Place::parse("s3://bucket/a/b/").unwrap();
        assert_eq!(
            (place.bucket.as_str(), place.prefix.as_ref()),
            ("bucket", "a/b")
        );
        assert_eq!(place.url(), "s3://bucket/a/b");
        assert_eq!(Place::parse("s3://bucket").unwrap().url(), "s3://bucket");
        for wrong in [
            "",
            "bucket",
            "s3:///a",
            "https://bucket/a",
            "s3://bucket/a?x=1",
        ] {
            let problem = Place::parse(wrong).unwrap_err();
            assert!(problem.contains("s3://bucket/prefix"), "{problem}");
        }
        let problem = Place::parse("s3://key:hush@bucket/a").unwrap_err();
        assert!(
            problem.contains("_FILE") && !problem.contains("hush"),
            "{problem}"
        );
        assert_eq!(
            without_credentials("s3://key:hush@bucket/a"),
            "s3://bucket/a"
        );
    }

    #[test]
    fn credentials_come_from_variables_files_or_a_profile() {
        let folder = tempfile::tempdir().unwrap();
        let file = |name: &str, text: &str| {
            let path = folder.path().join(name);
            std::fs::write(&path, text).unwrap();
            path.display().to_string()
        };
        let (id, secret) = (file("id", "one\n"), file("secret", "two\n"));
        let shared = file(
            "shared",
            "[default]\naws_access_key_id = a\naws_secret_access_key = b\n\n[night]\naws_access_key_id=c\naws_secret_access_key=d=\n",
        );
        type Case<'a> = (&'a [(&'a str, &'a str)], (&'a str, &'a str));
        let cases: [Case<'_>; 4] = [
            (
                &[("AWS_ACCESS_KEY_ID", "x"), ("AWS_SECRET_ACCESS_KEY", "y")],
                ("x", "y"),
            ),
            (
                &[
                    ("AWS_ACCESS_KEY_ID_FILE", &id),
                    ("AWS_SECRET_ACCESS_KEY_FILE", &secret),
                ],
                ("one", "two"),
            ),
            (&[("AWS_SHARED_CREDENTIALS_FILE", &shared)], ("a", "b")),
            (
                &[
                    ("AWS_SHARED_CREDENTIALS_FILE", &shared),
                    ("AWS_PROFILE", "night"),
                ],
                ("c", "d="),
            ),
        ];
        for (pairs, (id, secret)) in cases {
            let values = values(&variables(pairs)).unwrap();
            assert_eq!(value(&values, AmazonS3ConfigKey::AccessKeyId), Some(id));
            assert_eq!(
                value(&values, AmazonS3ConfigKey::SecretAccessKey),
                Some(secret)
            );
        }
    }

    #[test]
    fn settings_that_cannot_work_are_told_before_anything_is_sent() {
        let keys = [
            ("AWS_ACCESS_KEY_ID", "x"),
            ("AWS_SECRET_ACCESS_KEY", "hush"),
        ];
        let with = |more: &[(&str, &str)]| variables(&[&keys, more].concat());
        let cases = [
            (variables(&[]), "there are no credentials"),
            (variables(&keys[..1]), "belong together"),
            (with(&[("AWS_SECRET_ACCESS_KEY_FILE", "/x")]), "keep one"),
            (
                variables(&[("AWS_ACCESS_KEY_ID_FILE", "/none/such")]),
                "AWS_ACCESS_KEY_ID_FILE names /none/such",
            ),
            (
                variables(&[("AWS_SHARED_CREDENTIALS_FILE", "/none/such")]),
                "AWS_SHARED_CREDENTIALS_FILE names",
            ),
            (
                with(&[("AWS_ENDPOINT_URL", "http://127.0.0.1:1")]),
                "AWS_ALLOW_HTTP=true",
            ),
        ];
        for (variables, expected) in cases {
            let problem = values(&variables).unwrap_err();
            assert!(problem.contains(expected), "{problem}");
            assert!(!problem.contains("hush"), "{problem}");
        }
        let allowed = with(&[
            ("AWS_ENDPOINT_URL", "http://127.0.0.1:1"),
            ("AWS_ALLOW_HTTP", "true"),
        ]);
        let values = values(&allowed).unwrap();
        assert_eq!(
            value(&values, AmazonS3ConfigKey::Endpoint),
            Some("http://127.0.0.1:1")
        );
    }
}
