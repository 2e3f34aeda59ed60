//! What every bus promises.

pub mod given;
mod groups;
mod offsets;
mod polling;
mod restart;

use std::sync::Arc;

use async_trait::async_trait;
use domain::Recorded;
use infra::bus::Bus;

use super::embedded::Embedded;
use super::kafka::Kafka;

/// A bus with empty topics, shared with nobody.
#[async_trait]
pub trait Buses: Send + Sync + 'static {
    /// The bus.
    fn bus(&self) -> Arc<dyn Bus>;

    /// Puts facts on the topics of their services, in this order; they are there when it
    /// returns.
    async fn publish(&self, facts: &[Recorded]);

    /// Ends the process that has the bus open, and starts another. The caller has dropped its
    /// handles.
    async fn restart(&mut self);
}

macro_rules! bus_contract {
    ($adapter:ident, $($start:tt)+) => {
        contract! { $adapter, $($start)+;
            polling:
                a_fact_comes_as_it_was_published,
                facts_of_a_key_come_in_order,
                a_poll_returns_no_more_than_it_was_asked_for,
                a_busy_topic_does_not_hold_up_a_quiet_one,
                a_poll_that_is_given_up_loses_nothing,
                facts_that_are_published_while_somebody_waits_come_at_once;
            groups:
                a_new_group_begins_with_the_first_fact,
                what_was_committed_does_not_come_again,
                what_was_not_committed_comes_again,
                two_groups_take_the_same_facts,
                offsets_of_two_topics_are_two,
                a_group_takes_the_topics_that_it_asked_for,
                the_lag_is_what_a_group_has_yet_to_take;
            offsets:
                a_group_that_is_told_to_begin_at_the_ends_gets_exactly_what_comes_later,
                a_group_is_where_it_has_committed_and_at_0_before,
                a_group_without_members_is_told_to_begin_elsewhere,
                groups_that_are_told_where_to_begin_are_apart;
            restart:
                a_group_goes_on_where_it_was_after_a_restart;
        }
    };
}

bus_contract!(embedded, Embedded::start);
bus_contract!(kafka, if_there Kafka::start);
