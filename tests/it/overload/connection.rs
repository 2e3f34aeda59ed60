//! HTTP/1.1 by hand: a client that knows whether an answer was refused, cut off or never begun, and
//! takes little of the machine that it shares with what it asks.

use std::io::{Error, ErrorKind};

use reqwest::StatusCode;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::support::Reply;

/// A connection that is kept.
pub struct Connection {
    socket: TcpStream,
    received: Vec<u8>,
    /// Nothing was answered on it yet.
    fresh: bool,
}

/// What became of a request.
#[derive(Debug)]
pub enum Outcome {
    /// It was answered.
    Answered(Reply),
    /// Nobody listens there any more: the connection was refused, or reset since nobody had come to
    /// the door when that was closed.
    NobodyThere,
    /// The connection had been answered on before, and was closed before the first byte of an answer.
    NoAnswer,
    /// The answer ended too early.
    Half,
}

impl Connection {
    pub async fn open(address: &str) -> Result<Self, Outcome> {
        let socket = TcpStream::connect(address).await.map_err(|e| {
            let closed = [ErrorKind::ConnectionRefused, ErrorKind::ConnectionReset];
            assert!(closed.contains(&e.kind()), "{e}");
            Outcome::NobodyThere
        })?;
        socket.set_nodelay(true).unwrap();
        let received = Vec::with_capacity(1024);
        Ok(Self {
            socket,
            received,
            fresh: true,
        })
    }

    /// Sends a request; the connection comes back where it may be used again.
    pub async fn ask(mut self, request: &[u8]) -> (Outcome, Option<Self>) {
        self.received.clear();
        // Who closes has maybe answered before.
        self.socket.write_all(request).await.ok();
        match self.answer().await {
            Ok(Some(reply)) => {
                self.fresh = false;
                let closes = reply.header("connection") == Some("close");
                (Outcome::Answered(reply), (!closes).then_some(self))
            }
            Ok(None) if self.fresh => (Outcome::NobodyThere, None),
            Ok(None) => (Outcome::NoAnswer, None),
            Err(_) => (Outcome::Half, None),
        }
    }

    /// None where there is not one byte of it.
    async fn answer(&mut self) -> Result<Option<Reply>, Error> {
        let head = loop {
            match self.socket.read_buf(&mut self.received).await {
                Ok(0) if self.received.is_empty() => return Ok(None),
                Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
                Ok(_) => {}
                Err(_) if self.received.is_empty() => return Ok(None),
                Err(e) => return Err(e),
            }
            let end = self
                .received
                .windows(4)
                .position(|four| four == b"\r\n\r\n");
            if let Some(end) = end {
                break end + 4;
            }
        };
        let (status, headers) = parse(&self.received[..head]);
        let length = headers
            .get("content-length")
            .map(|value| value.to_str().unwrap());
        let length: usize = length.unwrap_or("0").parse().unwrap();
        while self.received.len() < head + length {
            if self.socket.read_buf(&mut self.received).await? == 0 {
                return Err(ErrorKind::UnexpectedEof.into());
            }
        }
        Ok(Some(Reply {
            status,
            headers,
            bytes: self.received[head..].to_vec(),
            body: Value::Null,
        }))
    }
}

fn parse(head: &[u8]) -> (StatusCode, HeaderMap) {
    let mut lines = str::from_utf8(head).unwrap().split("\r\n");
    let status = lines.next().unwrap().split(' ').nth(1).unwrap();
    let headers = lines.filter_map(|line| line.split_once(": "));
    let headers = headers.map(|(name, value)| {
        let name: HeaderName = name.parse().unwrap();
        (name, HeaderValue::from_str(value).unwrap())
    });
    (status.parse().unwrap(), headers.collect())
}
