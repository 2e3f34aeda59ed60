//! More than a pipeline can serve, and processes that end while customers come.
//!
//! - `load`: customers who come at their times, whatever becomes of those before them; some of them
//!   ask for what is `wrong`.
//! - `connection`: how they speak with an API, down to which byte was the last.
//! - `stack`: one process, or one of every role on servers.
//! - `excess`: three times what can be served.
//! - `ending`: a process is asked to end under load.

mod connection;
mod ending;
mod excess;
mod load;
mod stack;
mod wrong;
