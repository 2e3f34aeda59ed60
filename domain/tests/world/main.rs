//! The pipeline as a world that a test can walk through: the deciders, the process and the agenda
//! as they are, and in place of all that moves data between them a choice of what happens next.
//!
//! What may happen: a fact is delivered to a service, in order within its stream and in any order
//! across streams, once or again; a customer cancels at any time; a deadline passes; the payment
//! provider grants or refuses, and its answer arrives or gets lost and is asked for again; the
//! courier takes any road, also one that crosses a cancellation; a person records steps of the
//! delivery or settles a payment by hand; goods arrive.
//!
//! [`model`] has the world, [`next`] what may happen in it, [`checks`] what has to be true. Two
//! drivers walk it: [`random`] through larger worlds by the seed, [`exhaustive`] through every
//! state of a small one. A new kind of happening is a [`step::Step`], its arm in
//! [`model::World::take`] and its line in [`next`].

// All under `cfg(test)`, where clippy.toml lets a test unwrap and print.
#![cfg(test)]

mod checks;
mod exhaustive;
mod model;
mod next;
mod outside;
mod random;
mod setting;
mod side;
mod step;
mod stock;
mod trace;
mod view;
