//! The `home` Lambda function for sessions in cookies; see [`home::handle`].

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_http::Error> {
    shared::serve(shared::App::read_slim, home::handle).await
}
