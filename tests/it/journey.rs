//! Every road of the process, from POST to GET.

mod back;
mod provider;
mod there;
