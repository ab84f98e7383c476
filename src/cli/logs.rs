//! Logs, on standard error: lines for people, or a JSON object a line.

use std::fmt::{self, Write as _};
use std::io::IsTerminal as _;

use anstyle::{AnsiColor, Style};
use clap::ValueEnum;
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields, FormattedFields};
use tracing_subscriber::registry::LookupSpan;

/// The form of log lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum LogFormat {
    /// For people
    #[default]
    Text,
    /// One JSON object a line
    Json,
}

/// Sets logging up once; `RUST_LOG` overrules `-v` and `-q`.
pub fn init(format: LogFormat, verbose: u8, quiet: bool) {
    let level = match (quiet, verbose) {
        (true, _) => "error",
        (false, 0) => "bursar=info,warn",
        (false, 1) => "bursar=debug,warn",
        (false, _) => "bursar=trace,info",
    };
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(level));
    let colour = std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none();
    let lines = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_ansi(colour);
    // Set twice only where tests share a process; the first one stays.
    let _ = match format {
        LogFormat::Text => lines.event_format(Line).try_init(),
        LogFormat::Json => lines.json().flatten_event(true).with_target(false).with_ansi(false).try_init(),
    };
}

/// `2026-11-24T09:30:00Z INFO  acme: created account Acme Corporation`: the client before
/// the message, other fields behind it.
struct Line;

impl<S, N> FormatEvent<S, N> for Line
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(&self, context: &FmtContext<'_, S, N>, mut out: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        let mut fields = Fields::default();
        event.record(&mut fields);
        let Fields { message, client, rest } = fields;
        let level = *event.metadata().level();
        let (on, off) =
            if out.has_ansi_escapes() { (style(level).render().to_string(), "\u{1b}[0m") } else { Default::default() };
        write!(out, "{} {on}{level:5}{off} ", jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ"))?;
        if let Some(client) = client {
            write!(out, "{client}: ")?;
        }
        write!(out, "{message}{rest}")?;
        for span in context.event_scope().into_iter().flatten() {
            // Spans of ours alone: those of libraries are theirs to debug.
            let ours = span.metadata().target().starts_with("bursar");
            if let (true, Some(fields)) = (ours, span.extensions().get::<FormattedFields<N>>())
                && !fields.is_empty()
            {
                write!(out, " {fields}")?;
            }
        }
        writeln!(out)
    }
}

const fn style(level: Level) -> Style {
    let colour = match level {
        Level::ERROR => AnsiColor::Red,
        Level::WARN => AnsiColor::Yellow,
        Level::INFO => AnsiColor::Green,
        Level::DEBUG | Level::TRACE => AnsiColor::BrightBlack,
    };
    colour.on_default()
}

#[derive(Default)]
struct Fields {
    message: String,
    client: Option<String>,
    rest: String,
}

impl Fields {
    fn take(&mut self, field: &Field, value: String) {
        match field.name() {
            "message" => self.message = value,
            "client" => self.client = Some(value),
            name => {
                // Writing to a string does not fail.
                let _ = write!(self.rest, " {name}={value}");
            }
        }
    }
}

impl Visit for Fields {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.take(field, value.to_owned());
    }
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.take(field, format!("{value:?}"));
    }
}
