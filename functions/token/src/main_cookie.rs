//! The `token` Lambda function for sessions in cookies; see [`token::handle`].

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_http::Error> {
    shared::serve_result(shared::App::read_slim, token::handle).await
}
