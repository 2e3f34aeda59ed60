//! As much of HTTP/1.1 as a client of the contract needs.

use std::io;

use infra::payment_provider::Operation;
use serde_json::{Value, json};
use tokio::io::{AsyncRead, AsyncReadExt};

/// A request as it came.
#[derive(Debug, Clone)]
pub struct Request {
    pub method: String,
    pub path: String,
    headers: Vec<(String, String)>,
    pub body: Value,
}

impl Request {
    /// The next request of a connection; none where it has ended. `rest` is what was read beyond.
    pub(super) async fn read(
        socket: &mut (impl AsyncRead + Unpin),
        rest: &mut Vec<u8>,
    ) -> io::Result<Option<Self>> {
        let end = loop {
            if let Some(at) = rest.windows(4).position(|four| four == b"\r\n\r\n") {
                break at + 4;
            }
            if socket.read_buf(rest).await? == 0 {
                return Ok(None);
            }
        };
        let head: Vec<u8> = rest.drain(..end).collect();
        let head = String::from_utf8(head).map_err(io::Error::other)?;
        let mut lines = head.split("\r\n");
        let mut first = lines.next().unwrap_or_default().split(' ');
        let headers: Vec<_> = lines
            .filter_map(|line| line.split_once(": "))
            .map(|(name, value)| (name.to_lowercase(), value.to_owned()))
            .collect();
        let mut request = Self {
            method: first.next().unwrap_or_default().to_owned(),
            path: first.next().unwrap_or_default().to_owned(),
            headers,
            body: Value::Null,
        };
        let length = request.header("content-length").unwrap_or("0");
        let length: usize = length.parse().map_err(io::Error::other)?;
        while rest.len() < length {
            if socket.read_buf(rest).await? == 0 {
                return Ok(None);
            }
        }
        let body: Vec<u8> = rest.drain(..length).collect();
        if length > 0 {
            request.body = serde_json::from_slice(&body).map_err(io::Error::other)?;
        }
        Ok(Some(request))
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        let (_, value) = self.headers.iter().find(|(known, _)| known == name)?;
        Some(value)
    }

    /// What it is to do; none where it only asks.
    pub fn operation(&self) -> Option<Operation> {
        let (_, name) = self.path.rsplit_once('/')?;
        [
            Operation::Authorize,
            Operation::Capture,
            Operation::Void,
            Operation::Refund,
        ]
        .into_iter()
        .find(|operation| operation.task().name() == name)
    }

    /// The parts of its path behind `/v1/`.
    pub(super) fn parts(&self) -> Vec<&str> {
        self.path.trim_start_matches("/v1/").split('/').collect()
    }
}

/// An answer.
#[derive(Debug, Clone)]
pub struct Reply {
    status: u16,
    headers: Vec<(&'static str, String)>,
    pub body: String,
}

impl Reply {
    pub fn new(status: u16, body: impl Into<String>) -> Self {
        Self {
            status,
            headers: vec![],
            body: body.into(),
        }
    }

    pub fn empty(status: u16) -> Self {
        Self::new(status, "")
    }

    /// An error as the contract has it.
    pub fn problem(status: u16, code: &str) -> Self {
        Self::new(status, json!({ "code": code }).to_string())
    }

    pub fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    pub(super) fn bytes(&self) -> Vec<u8> {
        let mut head = format!("HTTP/1.1 {} x\r\n", self.status);
        for (name, value) in &self.headers {
            head += &format!("{name}: {value}\r\n");
        }
        let length = self.body.len();
        format!("{head}content-length: {length}\r\n\r\n{}", self.body).into_bytes()
    }
}
