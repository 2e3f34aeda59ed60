use super::*;

#[test]
fn every_play_is_on_stage_and_more_orders_are_happy_ones() {
    let script = Script::new("run", 30);
    let count = |play| script.orders.iter().filter(|o| o.play == play).count();
    assert_eq!(script.orders.len(), 30);
    assert!(Play::ALL.iter().all(|play| count(*play) > 0));
    assert_eq!(
        count(Delivered),
        Script::new("run", FEWEST)
            .orders
            .iter()
            .filter(|o| o.play == Delivered)
            .count()
            + 10
    );
}

#[test]
fn totals_tell_the_provider_what_to_do() {
    for order in Script::new("run", 40).orders {
        let total: u64 = order
            .lines
            .iter()
            .map(|line| line.unit_price * u64::from(line.quantity))
            .sum();
        assert_eq!(total % 100, order.play.cents(), "{order:?}");
    }
}

#[test]
fn there_is_enough_for_all_but_those_that_are_too_large() {
    let script = Script::new("run", 40);
    for receipt in &script.stock {
        let lines = |too_large: bool| {
            let orders = script.orders.iter();
            let orders = orders.filter(move |order| (order.play == TooLarge) == too_large);
            let lines = orders.flat_map(|order| &order.lines);
            lines
                .filter(|line| line.sku == receipt.sku)
                .map(|line| line.quantity)
        };
        assert!(lines(false).sum::<u32>() < receipt.quantity);
        assert!(lines(true).all(|quantity| quantity == 1 || quantity > receipt.quantity));
    }
    let mut too_large = script.orders.iter().filter(|order| order.play == TooLarge);
    assert!(too_large.all(|order| order.lines.iter().any(|line| {
        script
            .stock
            .iter()
            .any(|r| r.sku == line.sku && line.quantity > r.quantity)
    })));
}

#[test]
fn no_order_names_a_sku_twice() {
    for order in Script::new("run", 40).orders {
        assert_ne!(order.lines[0].sku, order.lines[1].sku);
    }
}
