//! Where traces go.

use axum::http::Uri;

use super::Settings;

/// Where traces go.
#[derive(Debug, Clone, PartialEq)]
pub struct Traces {
    /// The address of a collector that takes OTLP over HTTP.
    pub endpoint: String,
    /// The share of requests whose traces are recorded, from 0 to 1.
    pub ratio: f64,
}

impl Traces {
    /// None where no collector is set.
    pub(super) fn read(settings: &Settings) -> Result<Option<Self>, (&'static str, String)> {
        let ratio = settings.trace_ratio;
        if !(0.0..=1.0).contains(&ratio) {
            return Err(("trace_ratio", format!("{ratio} is not between 0 and 1")));
        }
        let endpoint = settings.otlp_endpoint.as_str();
        if endpoint.is_empty() {
            return Ok(None);
        }
        let uri: Option<Uri> = endpoint.parse().ok();
        let known = |uri: Uri| {
            let http = matches!(uri.scheme_str(), Some("http" | "https"));
            http && uri.host().is_some()
        };
        if !uri.is_some_and(known) || endpoint.contains(['@', '?']) {
            // It may have a password, which is not repeated.
            let wanted =
                "is no address such as http://collector:4318, without a user and parameters";
            return Err(("otlp_endpoint", wanted.into()));
        }
        Ok(Some(Self {
            endpoint: endpoint.to_owned(),
            ratio,
        }))
    }
}
