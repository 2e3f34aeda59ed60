mod collector;
mod list;
mod logs;
mod measured;
mod process;
mod status;
mod traced;
