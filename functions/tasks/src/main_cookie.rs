//! The `tasks` Lambda function for sessions in cookies; see [`tasks::handle`].

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_http::Error> {
    shared::serve(|env| tasks::Transfer::beside(shared::App::read_slim(env), env), tasks::handle).await
}
