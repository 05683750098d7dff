//! What can go wrong at the table.

use aws_sdk_dynamodb::error::{ProvideErrorMetadata, SdkError};

use crate::error::{Error, Kind};

/// Whether the item is not as the request expects it to be.
pub(super) fn is_refused_by_condition<E: ProvideErrorMetadata>(error: &SdkError<E>) -> bool {
    error.code() == Some("ConditionalCheckFailedException")
}

/// What went wrong at the table. Only the kind: the error's own text may repeat what was sent.
pub(super) fn trouble<E: ProvideErrorMetadata>(error: &SdkError<E>) -> Error {
    let reason = match (error, error.code()) {
        (SdkError::TimeoutError(_), _) => "store_timeout",
        (SdkError::DispatchFailure(failure), _) if failure.is_timeout() => "store_timeout",
        (SdkError::DispatchFailure(_), _) => "store_unreachable",
        (SdkError::ResponseError(_), _) => "store_answer_unreadable",
        (_, Some("ResourceNotFoundException")) => "store_table_missing",
        (_, Some("ProvisionedThroughputExceededException" | "RequestLimitExceeded" | "ThrottlingException")) => {
            "store_throttled"
        }
        (
            _,
            Some(
                "AccessDeniedException"
                | "ExpiredTokenException"
                | "InvalidSignatureException"
                | "UnrecognizedClientException",
            ),
        ) => "store_access_denied",
        _ => "store_error",
    };
    Kind::StoreUnavailable(reason).into()
}
