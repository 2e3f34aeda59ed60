/// How far an order is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum State {
    /// It was never placed.
    #[default]
    None,
    /// On its way.
    Open,
    /// The customer asked to cancel it; no answer yet.
    Asked,
    /// Too late to cancel; on its way.
    Refused,
    /// Over, with everything undone.
    Cancelled,
    /// Over, and delivered.
    Completed,
}

impl State {
    /// A word for messages.
    pub fn name(&self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Open => "open",
            Self::Asked => "cancellation requested",
            Self::Refused => "cancellation refused",
            Self::Cancelled => "cancelled",
            Self::Completed => "completed",
        }
    }

    /// True where nothing more will happen.
    pub fn is_over(&self) -> bool {
        matches!(self, Self::Cancelled | Self::Completed)
    }
}
