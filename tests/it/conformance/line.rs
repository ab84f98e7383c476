//! The real network with a hand on it: what went over it is written down, and a request or an
//! answer is lost where a test says so.

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use bursar::provider::BaseUrl;
use bursar::provider::transport::{Answer, Failure, Https, Request, Timeouts, Transport};
use futures::{StreamExt as _, TryStreamExt as _};

/// What happens to one write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// It arrives, and its answer does not.
    LoseAnswer,
    /// It does not arrive.
    LoseRequest,
}

#[derive(Debug, Default)]
struct Script {
    /// Which write, from 0, and what happens to it.
    fault: Option<(usize, Fault)>,
    /// What every `GET` of this path is answered.
    instead: Option<(String, String)>,
    sent: Vec<String>,
}

/// A line to one server.
#[derive(Debug)]
pub struct Line {
    inner: Https,
    base: String,
    script: Mutex<Script>,
}

impl Line {
    pub fn to(url: &str) -> Arc<Self> {
        let base = BaseUrl::parse(url).unwrap();
        let timeouts = Timeouts { whole: std::time::Duration::from_secs(10), ..Timeouts::default() };
        let inner = Https::new(&base, timeouts).unwrap();
        let path = url.splitn(4, '/').nth(3).map(|path| format!("/{path}")).unwrap();
        Arc::new(Self { inner, base: path, script: Mutex::default() })
    }

    /// The write of this number, from 0 and from now on, fares so.
    pub fn fault(&self, write: usize, fault: Fault) {
        let write = self.writes().len() + write;
        self.script.lock().unwrap().fault = Some((write, fault));
    }

    /// Every `GET` of a path is answered with this.
    pub fn answer_instead(&self, path: &str, body: &str) {
        self.script.lock().unwrap().instead = Some((path.to_owned(), body.to_owned()));
    }

    /// Every write so far, `POST /accounts`.
    pub fn writes(&self) -> Vec<String> {
        let script = self.script.lock().unwrap();
        script.sent.iter().filter(|line| !line.starts_with("GET ")).cloned().collect()
    }

    /// Every request so far.
    pub fn sent(&self) -> Vec<String> {
        self.script.lock().unwrap().sent.clone()
    }

    /// Writes the request down, and tells what is to happen to it.
    fn note(&self, request: &Request) -> (Option<Fault>, Option<String>) {
        let mut script = self.script.lock().unwrap();
        let path = request.url.path().strip_prefix(&self.base).unwrap().to_owned();
        let get = request.method == "GET";
        let before = script.sent.iter().filter(|line| !line.starts_with("GET ")).count();
        script.sent.push(format!("{} {path}", request.method));
        let fault = script.fault.filter(|(write, _)| !get && *write == before).map(|(_, fault)| fault);
        let instead = script.instead.as_ref().filter(|(of, _)| get && *of == path).map(|(_, body)| body.clone());
        (fault, instead)
    }
}

#[async_trait]
impl Transport for Line {
    async fn send(&self, request: Request) -> Result<Answer, Failure> {
        let (fault, instead) = self.note(&request);
        let lost = || Failure::Broken("lost, as the test says".to_owned());
        if fault == Some(Fault::LoseRequest) {
            return Err(lost());
        }
        let answer = self.inner.send(request).await?;
        if let Some(body) = instead {
            let body = futures::stream::once(async move { Ok(body.into()) }).boxed();
            let mut headers = answer.headers;
            headers.remove("content-length");
            return Ok(Answer { status: answer.status, headers, body });
        }
        if fault == Some(Fault::LoseAnswer) {
            let _: Vec<_> = answer.body.try_collect().await?;
            return Err(lost());
        }
        Ok(answer)
    }
}
