//! Failures of requests to DynamoDB.

use aws_sdk_dynamodb::error::{ProvideErrorMetadata, SdkError};

use crate::{Error, Kind, log::Reason};

/// The error for a failed request. Only its kind is used: the text of an SDK error may repeat what was sent.
pub(super) fn failure<E: ProvideErrorMetadata>(error: &SdkError<E>) -> Error {
    let reason = match error {
        SdkError::TimeoutError(_) => Reason::StoreTimeout,
        SdkError::DispatchFailure(dispatch) if dispatch.is_timeout() => Reason::StoreTimeout,
        SdkError::DispatchFailure(_) => Reason::StoreUnreachable,
        SdkError::ResponseError(_) => Reason::StoreResponseUnreadable,
        _ => match error.code().unwrap_or_default() {
            "ResourceNotFoundException" => Reason::StoreTableMissing,
            "ProvisionedThroughputExceededException" | "RequestLimitExceeded" | "ThrottlingException" => {
                Reason::StoreThrottled
            }
            "AccessDeniedException"
            | "ExpiredTokenException"
            | "InvalidSignatureException"
            | "UnrecognizedClientException" => Reason::StoreAccessDenied,
            _ => Reason::StoreError,
        },
    };
    Kind::StoreUnavailable(reason).into()
}
