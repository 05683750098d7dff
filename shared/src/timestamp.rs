//! Points in time, in whole seconds.

use std::{
    ops::{Add, Sub},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use serde::{Deserialize, Serialize};

/// How far the clocks of two instances may differ.
pub const SKEW: Duration = Duration::from_secs(30);

/// Whole seconds since 1970-01-01 UTC: `NumericDate` of [RFC 7519](https://www.rfc-editor.org/rfc/rfc7519#section-2)
/// without a fraction. Arithmetic stops at the ends of the range.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Timestamp(u64);

impl Timestamp {
    /// The time this number of seconds after the epoch.
    pub const fn from_seconds(seconds: u64) -> Self {
        Self(seconds)
    }

    /// The time in a claim, which may have a fraction; none if it is before the epoch or too large.
    pub fn from_fraction(seconds: f64) -> Option<Self> {
        Duration::try_from_secs_f64(seconds).ok().map(|since| Self(since.as_secs()))
    }

    /// Seconds since the epoch.
    pub const fn seconds(self) -> u64 {
        self.0
    }

    /// How much later this is than `earlier`; zero if it is not later.
    pub const fn since(self, earlier: Self) -> Duration {
        Duration::from_secs(self.0.saturating_sub(earlier.0))
    }
}

impl From<SystemTime> for Timestamp {
    fn from(time: SystemTime) -> Self {
        Self(time.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs()))
    }
}

impl Add<Duration> for Timestamp {
    type Output = Self;

    fn add(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(duration.as_secs()))
    }
}

impl Sub<Duration> for Timestamp {
    type Output = Self;

    fn sub(self, duration: Duration) -> Self {
        Self(self.0.saturating_sub(duration.as_secs()))
    }
}

/// Stores a [`Duration`] as a number of seconds.
pub(crate) mod duration {
    use super::{Deserialize, Duration};

    pub(crate) fn serialize<S: serde::Serializer>(duration: &Duration, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_u64(duration.as_secs())
    }

    pub(crate) fn deserialize<'de, D: serde::Deserializer<'de>>(from: D) -> Result<Duration, D::Error> {
        u64::deserialize(from).map(Duration::from_secs)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_stops_at_the_ends_of_its_range() {
        let (first, last) = (Timestamp::from_seconds(0), Timestamp::from_seconds(18_446_744_073_709_551_615));
        assert_eq!(first - Duration::from_secs(1), first);
        assert_eq!(last + Duration::from_secs(1), last);
        assert_eq!(Timestamp::from_seconds(5) + Duration::MAX, last);
        assert_eq!(Timestamp::from_seconds(5) - Duration::MAX, first);
        assert_eq!(first.since(last), Duration::ZERO);
    }
}
