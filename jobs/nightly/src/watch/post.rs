//! JSON posted to an address: webhooks, lineage events, traces.

use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail};
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use serde_json::Value;

/// Longest time an attempt takes.
const LIMIT: Duration = Duration::from_secs(30);

/// An address JSON is posted to, checked.
pub(crate) fn address(text: &str) -> Result<reqwest::Url> {
    let url = reqwest::Url::parse(text).map_err(|_| anyhow!("is no address such as https://…"))?;
    match url.scheme() {
        "https" | "http" => Ok(url),
        other => bail!("`{other}://` is neither https nor http"),
    }
}

/// Posts JSON; anything but success is an error. The address stands in no error: it may be a secret.
pub(crate) async fn post(url: &str, headers: &[(String, String)], body: &Value) -> Result<()> {
    let mut map = HeaderMap::new();
    map.insert("content-type", HeaderValue::from_static("application/json"));
    for (name, value) in headers {
        let mut value = HeaderValue::from_str(value)
            .map_err(|_| anyhow!("the header {name} would hold letters no header may hold"))?;
        value.set_sensitive(true);
        let name = HeaderName::from_bytes(name.as_bytes())
            .map_err(|_| anyhow!("`{name}` is no name of a header"))?;
        map.insert(name, value);
    }
    let client = reqwest::Client::builder()
        .timeout(LIMIT)
        .redirect(reqwest::redirect::Policy::none())
        .build()
        .context("make an HTTP client")?;
    let response = client
        .post(address(url)?)
        .headers(map)
        .body(body.to_string())
        .send()
        .await
        .map_err(reqwest::Error::without_url)
        .context("post")?;
    let status = response.status();
    if !status.is_success() {
        bail!("the server answered {status}");
    }
    Ok(())
}
