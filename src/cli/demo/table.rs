//! The live view of the orders: a table that is drawn again in place on a terminal, a line for
//! every change elsewhere.

use std::io::{IsTerminal, stdout};
use std::time::Duration;

use domain::values::Timestamp;
use infra::clock;

use super::play::Verdict;
use super::watch::{Watch, Watched};
use crate::cli::output::say;

/// Where the orders are shown.
pub enum Screen {
    /// Nowhere: a program reads the end.
    None,
    /// A line for every change.
    Lines,
    /// A table, which was drawn so many lines high.
    Table {
        /// Lines to go up before it is drawn again.
        drawn: usize,
    },
}

/// Lines of a table that are not orders: its head, and what stands below.
const FRAME: usize = 3;
/// The size of a terminal that does not say.
const SIZE: (usize, usize) = (80, 24);

impl Screen {
    /// What fits the standard output.
    pub fn new(json: bool) -> Self {
        match (json, stdout().is_terminal()) {
            (true, _) => Self::None,
            (false, true) => Self::Table { drawn: 0 },
            (false, false) => Self::Lines,
        }
    }

    /// An order's status has changed.
    pub fn changed(&self, order: &Watched, now: Duration) {
        if let Self::Lines = self {
            say(line(order, now, clock::now()));
        }
    }

    /// Shows where all orders are now; what does not fit the terminal is left out, unless this is
    /// the last time.
    pub fn draw(&mut self, watch: &Watch, now: Duration, last: bool) {
        let Self::Table { drawn } = self else {
            return;
        };
        let (width, height) = terminal_size::terminal_size()
            .map_or(SIZE, |(w, h)| (usize::from(w.0), usize::from(h.0)));
        let room = if last {
            watch.orders.len()
        } else {
            height.saturating_sub(FRAME + 1)
        };
        let lines = table(watch, width, room, now, clock::now());
        let up = match *drawn {
            0 => String::new(),
            drawn => format!("\x1b[{drawn}A"),
        };
        // Each line is cleared behind its end, so that nothing flickers.
        let lines: Vec<_> = lines.iter().map(|line| format!("{line}\x1b[K")).collect();
        *drawn = lines.len();
        say(format_args!("{up}\r{}\x1b[J", lines.join("\n")));
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Column {
    Order,
    Shows,
    Status,
    Inventory,
    Payment,
    Delivery,
    Note,
    Age,
}

const COLUMNS: [Column; 8] = [
    Column::Order,
    Column::Shows,
    Column::Status,
    Column::Inventory,
    Column::Payment,
    Column::Delivery,
    Column::Note,
    Column::Age,
];

/// What goes first where a terminal is narrow: the status says most of it.
const CAN_GO: [Column; 4] = [
    Column::Inventory,
    Column::Payment,
    Column::Delivery,
    Column::Shows,
];

impl Column {
    fn head(self) -> &'static str {
        match self {
            Self::Order => "order",
            Self::Shows => "is to show",
            Self::Status => "status",
            Self::Inventory => "inventory",
            Self::Payment => "payment",
            Self::Delivery => "delivery",
            Self::Note => "driver, ETA / reason",
            Self::Age => "age",
        }
    }

    /// The longest that it shows.
    fn width(self) -> usize {
        match self {
            Self::Order => 9,
            Self::Shows => 18,
            Self::Status => 18,
            Self::Inventory => 9,
            Self::Payment => 17,
            Self::Delivery => 10,
            Self::Note => 20,
            Self::Age => 5,
        }
    }

    fn cell(self, order: &Watched, now: Duration, clock: Timestamp) -> String {
        let part = |status: Option<&String>| status.map_or_else(|| "-".into(), String::clone);
        let seen = order.seen.as_ref();
        match self {
            Self::Order => order.id.as_deref().map_or_else(String::new, short),
            Self::Shows => order.play.name().to_owned(),
            Self::Status => order.status().to_owned(),
            Self::Inventory => part(seen.and_then(|seen| seen.inventory.status.as_ref())),
            Self::Payment => part(seen.and_then(|seen| seen.payment.status.as_ref())),
            Self::Delivery => part(seen.and_then(|seen| seen.delivery.status.as_ref())),
            Self::Note => order.note(clock),
            Self::Age if order.id.is_none() => String::new(),
            Self::Age => format!("{} s", order.age(now).as_secs()),
        }
    }
}

/// The table, of at most `room` orders and lines of at most `width`.
fn table(watch: &Watch, width: usize, room: usize, now: Duration, clock: Timestamp) -> Vec<String> {
    let columns = fitting(width);
    let mut head = String::from(" ");
    for column in &columns {
        push(&mut head, *column, column.head());
    }
    let shown = chosen(watch, room);
    let mut lines = vec![crop(&head, width)];
    lines.extend(
        shown
            .iter()
            .map(|order| crop(&row(order, &columns, now, clock), width)),
    );
    let (all, ended) = (watch.orders.len(), watch.ended());
    let hidden = match all - shown.len() {
        0 => String::new(),
        hidden => format!("; {hidden} more are not shown"),
    };
    let foot = format!(
        "{:.1} s: {ended} of {all} have ended{hidden}",
        now.as_secs_f64()
    );
    lines.extend([String::new(), crop(&foot, width)]);
    lines
}

/// Where there is no room for all, those that have not ended come first.
fn chosen(watch: &Watch, room: usize) -> Vec<&Watched> {
    let open = watch.orders.iter().filter(|order| order.is_open()).count();
    let mut spare = room.saturating_sub(open);
    let mut shown: Vec<_> = watch.orders.iter().collect();
    shown.reverse();
    shown.retain(|order| {
        let keep = order.is_open() || spare > 0;
        spare -= usize::from(keep && !order.is_open());
        keep
    });
    shown.reverse();
    shown.truncate(room);
    shown
}

fn fitting(width: usize) -> Vec<Column> {
    let mut columns = COLUMNS.to_vec();
    for can_go in CAN_GO {
        let wide: usize = columns.iter().map(|column| column.width() + 2).sum();
        if wide <= width {
            break;
        }
        columns.retain(|column| *column != can_go);
    }
    columns
}

fn row(order: &Watched, columns: &[Column], now: Duration, clock: Timestamp) -> String {
    let mut line = mark(order.verdict).to_owned();
    for column in columns {
        push(&mut line, *column, &column.cell(order, now, clock));
    }
    line.trim_end().to_owned()
}

fn push(line: &mut String, column: Column, cell: &str) {
    let width = column.width();
    let cell = crop(cell, width);
    line.push_str(&match column {
        Column::Age => format!(" {cell:>width$}"),
        _ => format!(" {cell:width$} "),
    });
}

fn mark(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Open => " ",
        Verdict::Right => "✓",
        Verdict::Wrong => "✗",
    }
}

/// The end of an id: ids of one time begin alike.
fn short(id: &str) -> String {
    let begins = id.chars().count().saturating_sub(8);
    format!("…{}", id.chars().skip(begins).collect::<String>())
}

/// A line longer than the terminal would wrap, and be drawn again in the wrong place.
fn crop(text: &str, width: usize) -> String {
    text.chars().take(width).collect()
}

fn line(order: &Watched, now: Duration, clock: Timestamp) -> String {
    let mark = match order.verdict {
        Verdict::Open => "",
        Verdict::Right => "as it should",
        Verdict::Wrong => "WRONG",
    };
    let line = format!(
        "{:>6.1} s  {:36}  {:18}  {:18}  {:12}  {}",
        now.as_secs_f64(),
        order.id.as_deref().unwrap_or_default(),
        order.play.name(),
        order.status(),
        mark,
        order.note(clock),
    );
    line.trim_end().to_owned()
}

#[cfg(test)]
mod tests;
