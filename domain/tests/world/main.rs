//! The pipeline as a world that a test can walk through: the deciders, the process and the agenda
//! as they are, and in place of all that moves data between them a choice of what happens next.
//!
//! What may happen: a fact is delivered to a service, in order within its stream and in any order
//! across streams, once or again; a customer cancels at any time; a deadline passes; the payment
//! provider grants or refuses, and its answer arrives or gets lost and is asked for again; what it
//! will not give back it may give back later, or an operator does and says so; the courier takes any
//! road, also one that crosses a cancellation, and is heard at once or later; a person records steps
//! of the delivery; goods arrive.
//!
//! A crash is none of these: it comes after an effect and before the note that it is done, so that
//! something is delivered, answered or said again. In every state all that ever was is tried again,
//! and has to change nothing.
//!
//! [`model`] has the world, [`next`] what may happen in it, [`checks`] what has to be true of
//! orders, money and stock, and [`view`] what of the rows, by whatever road facts get to them. Two
//! drivers walk the world: [`random`] through larger ones by the seed, [`exhaustive`] through every
//! state of a small one. [`planted`] shows that both see mistakes. A new kind of happening is a
//! [`step::Step`], its arm in [`model::World::take`] and its line in [`next`]; a new column of a view
//! is a line in [`row`].

// All under `cfg(test)`, where clippy.toml lets a test unwrap and print.
#![cfg(test)]

mod checks;
mod exhaustive;
mod model;
mod next;
mod outside;
mod planted;
mod random;
mod row;
mod setting;
mod side;
mod step;
mod stock;
mod trace;
mod view;
