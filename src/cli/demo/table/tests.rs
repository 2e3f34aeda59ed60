use super::*;
use crate::cli::demo::follow::Event;
use crate::cli::demo::script::Script;
use crate::cli::demo::seen::testing::{COMPLETED, seen};

const WIDE: usize = 200;
const NOW: Duration = Duration::from_secs(12);

fn clock() -> Timestamp {
    Timestamp::from_micros(0)
}

/// 20 orders, of which the first has been delivered and the second is reserved.
fn watch() -> Watch {
    let mut watch = Watch::new(&Script::new("run", 20));
    let delivered = seen(COMPLETED, None, "SHIPPED", "CAPTURED", "DELIVERED");
    let reserved = seen("INVENTORY_RESERVED", None, "RESERVED", "REQUESTED", "");
    for (n, seen) in [delivered, reserved].into_iter().enumerate() {
        let order_id = format!("01890a5d-ac96-774b-bcce-b3020000000{n}");
        watch.take((n, Event::Placed { order_id }), Duration::from_secs(1));
        watch.take((n, Event::Seen(Box::new(seen))), Duration::from_secs(5));
    }
    watch
}

fn words(line: &str) -> Vec<&str> {
    line.split_whitespace().collect()
}

#[test]
fn a_row_shows_every_part_of_an_order() {
    let watch = watch();
    let row = |n: usize| row(&watch.orders[n], &COLUMNS, NOW, clock());
    assert_eq!(
        words(&row(0)).join(" "),
        "✓ …00000000 paid and delivered COMPLETED SHIPPED CAPTURED DELIVERED Driver Hazel 4 s"
    );
    assert_eq!(
        words(&row(1)).join(" "),
        "…00000001 payment declined INVENTORY_RESERVED RESERVED REQUESTED - 11 s"
    );
    assert_eq!(words(&row(2)).join(" "), "cancelled too late - - -");
}

#[test]
fn columns_stand_below_their_heads() {
    let lines = table(&watch(), WIDE, 20, NOW, clock());
    let column = |line: &str, word: &str| line.split(word).next().map(|s| s.chars().count());
    assert_eq!(column(&lines[0], "status"), column(&lines[1], "COMPLETED"));
    assert_eq!(column(&lines[0], "payment"), column(&lines[2], "REQUESTED"));
    assert_eq!(lines.len(), 20 + FRAME);
    assert_eq!(
        lines.last().map(String::as_str),
        Some("12.0 s: 1 of 20 have ended")
    );
}

#[test]
fn a_narrow_terminal_gets_fewer_columns_and_no_line_wraps() {
    let head = |width: usize| table(&watch(), width, 20, NOW, clock()).swap_remove(0);
    assert!(head(122).contains("inventory"));
    assert!(!head(121).contains("inventory"));
    assert_eq!(
        words(&head(80)).join(" "),
        "order is to show status driver, ETA / reason age"
    );
    for width in [0, 1, 40, 80, 122] {
        let lines = table(&watch(), width, 20, NOW, clock());
        assert!(lines.iter().all(|line| line.chars().count() <= width));
    }
}

#[test]
fn where_there_is_little_room_what_has_ended_goes_first() {
    let watch = watch();
    let first = |room: usize| table(&watch, WIDE, room, NOW, clock()).swap_remove(1);
    assert!(first(20).contains("COMPLETED"));
    assert!(first(19).contains("INVENTORY_RESERVED"));
    let lines = table(&watch, WIDE, 5, NOW, clock());
    assert_eq!(lines.len(), 5 + FRAME);
    assert_eq!(
        lines.last().map(String::as_str),
        Some("12.0 s: 1 of 20 have ended; 15 more are not shown")
    );
    assert_eq!(table(&watch, WIDE, 0, NOW, clock()).len(), FRAME);
}

#[test]
fn a_line_has_the_whole_id() {
    let line = line(&watch().orders[0], NOW, clock());
    assert_eq!(
        words(&line).join(" "),
        "12.0 s 01890a5d-ac96-774b-bcce-b30200000000 paid and delivered COMPLETED as it should \
         Driver Hazel"
    );
}
