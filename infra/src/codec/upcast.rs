//! Facts of an older shape, as today's shape has them.
//!
//! A version that was ever published is read for ever: from the log, from Kafka and by rebuilds.
//! What is stored stays as it was written; the steps are applied to what is read, one version at a
//! time, and only to facts that are not of today's version.

use domain::Written;
use serde_json::{Value, json};

use super::versions::version_of;
use super::{Unreadable, broken};

/// From one version of a fact's payload to the next.
#[derive(Debug, Clone, Copy)]
pub struct Step {
    /// The fact, as in `delivery.assigned`.
    pub name: &'static str,
    /// The version that it takes.
    pub from: &'static str,
    /// The version that it gives, which is the next.
    pub to: &'static str,
    /// Pure and total. A payload that never was of version `from` may come out as anything that
    /// does not decode.
    pub up: fn(Value) -> Value,
}

/// Every step, those of a fact in the order of its versions.
pub const STEPS: &[Step] = &[Step {
    name: "delivery.assigned",
    from: "1",
    to: "2",
    up: driver_as_an_object,
}];

/// Version 2 has all that is personal in one object, which can be withheld as a whole and added to.
fn driver_as_an_object(mut payload: Value) -> Value {
    if let Some(fields) = payload.as_object_mut() {
        let name = fields.remove("driverName");
        fields.insert("driver".to_owned(), json!({"name": name}));
    }
    payload
}

/// True where a fact of that name and version can be read.
pub fn knows(name: &str, version: &str) -> bool {
    version_of(name) == Some(version) || step(STEPS, name, version).is_some()
}

/// The payload of a fact, which is not of today's version, as today's version has it.
#[cold]
pub(super) fn to_current(name: &str, written: &Written) -> Result<Vec<u8>, Unreadable> {
    if !knows(name, &written.version) {
        return Err(Unreadable::Unknown {
            name: name.to_owned(),
            version: written.version.clone(),
        });
    }
    let payload = serde_json::from_str(&written.payload).map_err(broken)?;
    let payload = climb(STEPS, name, &written.version, payload);
    serde_json::to_vec(&payload).map_err(broken)
}

/// Takes every step there is from `version` on.
fn climb(steps: &[Step], name: &str, version: &str, mut payload: Value) -> Value {
    let mut next = step(steps, name, version);
    while let Some(step_up) = next {
        payload = (step_up.up)(payload);
        next = step(steps, name, step_up.to);
    }
    payload
}

fn step<'s>(steps: &'s [Step], name: &str, from: &str) -> Option<&'s Step> {
    steps
        .iter()
        .find(|step| step.name == name && step.from == from)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use domain::{Category, Fact, delivery};

    use super::super::tests::stored;
    use super::super::{VERSIONS, decode};
    use super::*;
    use crate::event_store::StoredFact;

    const ASSIGNED: &str = r#"{"type":"delivery.assigned","driverName":"Driver Ash",
        "deliveryId":"7f868704-a621-5628-88d9-e4b17101b5d5",
        "estimatedDeliveryTime":"2026-01-31T12:00:00.000001Z"}"#;

    fn assigned(version: &str, payload: &Value) -> StoredFact {
        StoredFact {
            version: version.to_owned(),
            ..stored(Category::Delivery, payload)
        }
    }

    fn first() -> Value {
        serde_json::from_str(ASSIGNED).unwrap()
    }

    #[test]
    fn the_first_and_the_second_version_of_an_assignment_are_the_same_fact() {
        let mut second = first();
        second.as_object_mut().unwrap().remove("driverName");
        second["driver"] = json!({"name": "Driver Ash"});
        let read = decode(&assigned("1", &first())).unwrap();
        assert_eq!(read.fact, decode(&assigned("2", &second)).unwrap().fact);
        let Fact::Delivery(delivery::Event::Assigned { driver_name, .. }) = read.fact else {
            panic!("{read:?}");
        };
        assert_eq!(driver_name.as_str(), "Driver Ash");
    }

    #[test]
    fn a_fact_that_is_not_of_the_version_it_says_is_broken() {
        let mut second = first();
        second["driver"] = json!({"name": "Driver Ash"});
        second.as_object_mut().unwrap().remove("driverName");
        for (version, payload) in [
            ("1", second),
            ("1", json!({"type": "delivery.assigned"})),
            ("2", first()),
        ] {
            let read = decode(&assigned(version, &payload));
            assert!(matches!(read, Err(Unreadable::Broken(_))), "{read:?}");
        }
        for broken in ["[]", "7", "{", ""] {
            let mut fact = assigned("1", &first());
            fact.payload = broken.into();
            let read = decode(&fact);
            assert!(matches!(read, Err(Unreadable::Broken(_))), "{read:?}");
        }
    }

    #[test]
    fn a_version_that_is_newer_or_none_is_unknown() {
        for version in ["0", "3", "02", "1.0", "", "two"] {
            assert!(!knows("delivery.assigned", version), "{version}");
            let read = decode(&assigned(version, &first()));
            let Err(Unreadable::Unknown { name, version: of }) = read else {
                panic!("{version}: {read:?}");
            };
            assert_eq!((name.as_str(), of.as_str()), ("delivery.assigned", version));
        }
        assert!(!knows("order.gift-wrapped", "1"));
        assert!(knows("delivery.assigned", "1") && knows("delivery.assigned", "2"));
    }

    #[test]
    fn every_version_before_todays_has_one_step_to_the_next() {
        let mut steps: BTreeMap<&str, Vec<(u32, u32)>> = BTreeMap::new();
        for step in STEPS {
            let numbers = (step.from.parse().unwrap(), step.to.parse().unwrap());
            steps.entry(step.name).or_default().push(numbers);
        }
        for (name, today) in VERSIONS {
            let today: u32 = today.parse().unwrap();
            let needed: Vec<_> = (1..today).map(|from| (from, from + 1)).collect();
            assert_eq!(steps.remove(name).unwrap_or_default(), needed, "{name}");
        }
        assert!(steps.is_empty(), "steps of facts that are not ours");
    }

    #[test]
    fn a_fact_of_the_first_version_takes_every_step_in_turn() {
        let rename = |from: &'static str, to: &'static str, up| Step {
            name: "a",
            from,
            to,
            up,
        };
        let steps = [
            rename("2", "3", |v| {
                json!(format!("{} three", v.as_str().unwrap()))
            }),
            rename("1", "2", |v| json!(format!("{} two", v.as_str().unwrap()))),
        ];
        let climb = |name, from| climb(&steps, name, from, json!("was"));
        assert_eq!(climb("a", "1"), "was two three");
        assert_eq!(climb("a", "2"), "was three");
        assert_eq!(climb("a", "3"), "was");
        assert_eq!(climb("b", "1"), "was");
    }
}
