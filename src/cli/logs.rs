//! Logs, on standard error: lines for people, or a JSON object a line. Unless more talk was
//! asked for, no line holds a whole email.

use std::fmt;
use std::io::{self, IsTerminal as _};

use anstyle::{AnsiColor, Style};
use clap::ValueEnum;
use serde_json::{Map, Value};
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::format::{JsonFields, Writer};
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields, FormattedFields};
use tracing_subscriber::registry::LookupSpan;

use crate::domain::mask;

use super::ui::no_commands;

/// The form of log lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum LogFormat {
    /// For people
    #[default]
    Text,
    /// One JSON object a line
    Json,
}

/// Sets logging up once; `RUST_LOG` overrules `-v` and `-q` in what is told, and `-v` alone
/// shows emails.
pub fn init(format: LogFormat, verbose: u8, quiet: bool) {
    let level = match (quiet, verbose) {
        (true, _) => "error",
        (false, 0) => "bursar=info,warn",
        (false, 1) => "bursar=debug,warn",
        (false, _) => "bursar=trace,info",
    };
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(level));
    let colour = std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none();
    let masked = (verbose == 0).then_some(format);
    let writer = move || Lines { masked, out: io::stderr() };
    // As JSON the fields of spans are kept; each form reads them from there.
    let lines = tracing_subscriber::fmt().with_env_filter(filter).with_writer(writer).fmt_fields(JsonFields::new());
    let colour = colour && format == LogFormat::Text;
    // Set twice only where tests share a process; the first one stays.
    let _ = match format {
        LogFormat::Text => lines.with_ansi(colour).event_format(Line).try_init(),
        LogFormat::Json => lines.with_ansi(colour).event_format(Object).try_init(),
    };
}

/// Writes log lines, each in one piece, with emails masked where that is wanted.
struct Lines<W> {
    masked: Option<LogFormat>,
    out: W,
}

impl<W: io::Write> io::Write for Lines<W> {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        match (self.masked, std::str::from_utf8(line)) {
            (Some(format), Ok(text)) if text.contains('@') => {
                self.out.write_all(no_commands(&masked(format, text)).as_bytes())?;
            }
            (_, Ok(text)) => self.out.write_all(no_commands(text).as_bytes())?,
            (_, Err(_)) => self.out.write_all(line)?,
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

/// A line without whole emails. What is JSON stays JSON: an escape next to an address is no part
/// of it.
fn masked(format: LogFormat, line: &str) -> String {
    match format {
        LogFormat::Text => mask(line),
        LogFormat::Json => {
            serde_json::from_str::<Value>(line).map_or_else(|_| mask(line), |value| format!("{}\n", hidden(value)))
        }
    }
}

fn hidden(value: Value) -> Value {
    match value {
        Value::String(text) => Value::String(mask(&text)),
        Value::Array(values) => values.into_iter().map(hidden).collect(),
        Value::Object(fields) => fields.into_iter().map(|(name, value)| (name, hidden(value))).collect(),
        other => other,
    }
}

/// `2026-11-24T09:30:00Z INFO  acme: created account Acme Corporation commit=6f2d...`: the client
/// before the message, other fields behind it, then those of the pass that it belongs to.
struct Line;

impl<S, N> FormatEvent<S, N> for Line
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(&self, context: &FmtContext<'_, S, N>, mut out: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        let Gathered { message, fields } = gather(context, event);
        let level = *event.metadata().level();
        let (on, off) =
            if out.has_ansi_escapes() { (style(level).render().to_string(), "\u{1b}[0m") } else { Default::default() };
        write!(out, "{} {on}{level:5}{off} ", jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ"))?;
        if let Some(client) = fields.get("client") {
            write!(out, "{}: ", plain(client))?;
        }
        write!(out, "{message}")?;
        // The only fleet needs no name.
        let is_shown =
            |(name, value): &(&String, &Value)| *name != "client" && !(*name == "fleet" && **value == *ONLY_FLEET);
        for (name, value) in fields.iter().filter(is_shown) {
            match (name.as_str(), value.as_str()) {
                ("commit", Some(commit)) => write!(out, " commit={}", short(commit))?,
                _ => write!(out, " {name}={}", plain(value))?,
            }
        }
        writeln!(out)
    }
}

/// One JSON object a line: `timestamp`, `level`, `message`, and all fields beside them.
struct Object;

impl<S, N> FormatEvent<S, N> for Object
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(&self, context: &FmtContext<'_, S, N>, mut out: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        let Gathered { message, fields } = gather(context, event);
        let mut object = Map::new();
        object.insert("timestamp".into(), jiff::Timestamp::now().to_string().into());
        object.insert("level".into(), event.metadata().level().as_str().into());
        object.insert("message".into(), message.into());
        for (name, value) in fields {
            object.entry(name).or_insert(value);
        }
        writeln!(out, "{}", Value::Object(object))
    }
}

/// The name of the fleet where there is one only.
const ONLY_FLEET: &str = "default";

/// The words of a line, its fields, and those of the spans that it is in, the outermost last.
#[derive(Default)]
struct Gathered {
    message: String,
    fields: Map<String, Value>,
}

fn gather<S, N>(context: &FmtContext<'_, S, N>, event: &Event<'_>) -> Gathered
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    let mut gathered = Gathered::default();
    event.record(&mut gathered);
    for span in context.event_scope().into_iter().flatten() {
        if let Some(fields) = span.extensions().get::<FormattedFields<N>>()
            && let Ok(Value::Object(of_span)) = serde_json::from_str(&fields.fields)
        {
            for (name, value) in of_span {
                // Where the line says it itself, it knows better.
                gathered.fields.entry(name).or_insert(value);
            }
        }
    }
    gathered
}

/// A commit for people: as long as git itself shows it, and whether files were edited since.
fn short(commit: &str) -> String {
    let edited = if commit.ends_with("-dirty") && commit.len() > 18 { "-dirty" } else { "" };
    format!("{}{edited}", commit.get(..12).unwrap_or(commit))
}

fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

impl Visit for Gathered {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.take(field, value.into());
    }
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.take(field, format!("{value:?}").into());
    }
    fn record_u64(&mut self, field: &Field, value: u64) {
        self.take(field, value.into());
    }
    fn record_i64(&mut self, field: &Field, value: i64) {
        self.take(field, value.into());
    }
    fn record_f64(&mut self, field: &Field, value: f64) {
        self.take(field, value.into());
    }
    fn record_bool(&mut self, field: &Field, value: bool) {
        self.take(field, value.into());
    }
}

impl Gathered {
    fn take(&mut self, field: &Field, value: Value) {
        match field.name() {
            "message" => self.message = plain(&value),
            name => {
                self.fields.insert(name.to_owned(), value);
            }
        }
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

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    fn written(masked: Option<LogFormat>, line: &str) -> String {
        let mut lines = Lines { masked, out: Vec::new() };
        lines.write_all(line.as_bytes()).unwrap();
        String::from_utf8(lines.out).unwrap()
    }

    #[test]
    fn a_line_holds_no_whole_email_unless_it_was_asked_for() {
        let line = "2026-11-24T00:18:36Z INFO  acme: added jane@acme.example (full access)\n";
        let shown = written(Some(LogFormat::Text), line);
        assert!(shown.contains("acme: added j***@acme.example#") && shown.ends_with(" (full access)\n"), "{shown}");
        assert_eq!(written(None, line), line);
    }

    #[test]
    fn json_stays_json_whatever_stands_before_an_address() {
        let line =
            serde_json::json!({"message": "\u{1b}jane@acme.example\njoe@acme.example", "fields": ["kim@acme.example"]});
        let shown = written(Some(LogFormat::Json), &format!("{line}\n"));
        let shown: Value = serde_json::from_str(&shown).unwrap();
        assert!(["jane@", "joe@", "kim@"].iter().all(|name| !shown.to_string().contains(name)), "{shown}");
        assert!(shown["message"].as_str().unwrap().starts_with("\u{1b}j***@acme.example#"));
    }
}
