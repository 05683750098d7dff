//! The `tasks` Lambda function; see [`tasks::handle`].

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_http::Error> {
    shared::serve(|env| tasks::Transfer::beside(shared::App::read(env), env), tasks::handle).await
}
