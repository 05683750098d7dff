//! What goes wrong between a function and another service, decided by the seed.

use std::time::Duration;

use fastrand::Rng;

use crate::http::Response;

/// The random numbers of these words alone: whatever runs at the same time, they are the same in each run.
pub(super) fn chance(words: &[u64]) -> Rng {
    words.iter().fold(Rng::with_seed(0), |mut rng, word| Rng::with_seed(rng.u64(..) ^ word))
}

/// A text as a word for [`chance`].
pub(super) fn word(text: &str) -> u64 {
    text.bytes().fold(7, |word, byte| word.wrapping_mul(31).wrapping_add(byte.into()))
}

/// A service that the functions need.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Service {
    /// Globus Auth: the stand-in.
    Globus,
    /// DynamoDB Local.
    DynamoDb,
}

/// What goes wrong with one request to a service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// The service responds at once, and its response takes this long.
    Delay(Duration),
    /// The connection is reset, and the service hears nothing.
    Reset,
    /// A response with this status of a server that has failed.
    Status(u16),
    /// The service refuses the request because there are too many.
    Throttle,
    /// A response that makes no sense.
    Garbage,
    /// The service does what it is asked to do; the connection ends in the middle of its response.
    CutShort,
    /// The same before its response.
    LostAnswer,
    /// The process that asks is killed; the service hears nothing.
    KillBefore,
    /// The service does what it is asked to do; the process that asks is killed before it is told.
    KillAfter,
}

/// Long enough for every time limit of the functions: for one try at DynamoDB, and for Globus.
const TOO_LATE: [Duration; 2] = [Duration::from_millis(2200), Duration::from_millis(5500)];

impl Fault {
    /// A fault, as often as its kind occurs here. A process that must live is not killed.
    pub(super) fn draw(rng: &mut Rng, may_kill: bool) -> Self {
        match rng.u32(0..100) {
            0..3 => Self::Delay(TOO_LATE[rng.usize(0..TOO_LATE.len())]),
            3..35 => Self::Delay(Duration::from_millis(rng.u64(5..300))),
            35..50 => Self::Reset,
            50..65 => Self::Status([500, 502, 503, 504][rng.usize(0..4)]),
            65..77 => Self::Throttle,
            77..86 => Self::Garbage,
            86..91 => Self::CutShort,
            96..98 if may_kill => Self::KillBefore,
            98..100 if may_kill => Self::KillAfter,
            _ => Self::LostAnswer,
        }
    }

    /// The response that comes instead of the service's, if this fault is one.
    pub(super) fn response(self, service: Service) -> Option<Response> {
        let (status, content_type, body) = match (self, service) {
            (Self::Status(status), Service::Globus) => (status, "text/html", "<h1>It does not work.</h1>"),
            (Self::Status(status), Service::DynamoDb) => {
                (status, "application/x-amz-json-1.0", r#"{"__type":"com.amazonaws.dynamodb#InternalServerError"}"#)
            }
            (Self::Throttle, Service::Globus) => (429, "application/json", r#"{"error":"too_many_requests"}"#),
            (Self::Throttle, Service::DynamoDb) => {
                (400, "application/x-amz-json-1.0", r#"{"__type":"com.amazonaws.dynamodb#ThrottlingException"}"#)
            }
            _ => return None,
        };
        let headers = vec![("content-type".to_owned(), content_type.to_owned())];
        Some(Response { status, headers, body: body.to_owned() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_words_give_the_same_faults_and_others_give_others() {
        let faults = |words: &[u64]| {
            let mut rng = chance(words);
            (0..50).map(|_| Fault::draw(&mut rng, true)).collect::<Vec<_>>()
        };
        assert_eq!(faults(&[1, 2, 3]), faults(&[1, 2, 3]));
        for others in [&[1, 2, 4][..], &[1, 3, 2], &[2, 2, 3], &[1, 2]] {
            assert_ne!(faults(&[1, 2, 3]), faults(others), "{others:?}");
        }
    }

    #[test]
    fn a_process_that_must_live_is_not_killed() {
        let mut rng = chance(&[1]);
        let kills = |fault: &Fault| matches!(fault, Fault::KillBefore | Fault::KillAfter);
        let mut draw = |may_kill| (0..1000).map(|_| Fault::draw(&mut rng, may_kill)).filter(kills).count();
        assert_eq!(draw(false), 0);
        assert!(draw(true) > 10);
    }
}
