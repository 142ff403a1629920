//! The mock provider as a program, for the SDK tests and the benchmark:
//! `mock_provider ADDRESS [HEAD_DELAY_MS [EVENT_DELAY_MS]]`. Prints its URL and runs until killed.
#![expect(clippy::disallowed_methods, clippy::print_stdout, reason = "a program of its own")]

use std::error::Error;
use std::time::Duration;
use testkit::{Behaviour, MockProvider};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let address = arguments.first().map_or("127.0.0.1:0", String::as_str);
    let delay = |at: usize| -> Result<Duration, std::num::ParseIntError> {
        let milliseconds = arguments.get(at).map_or(Ok(0), |text| text.parse())?;
        Ok(Duration::from_millis(milliseconds))
    };
    let behaviour = Behaviour::slow(delay(1)?, delay(2)?);
    let provider = MockProvider::listen(address, behaviour, false).await;
    println!("mock provider listening on {}", provider.url());
    std::future::pending::<()>().await;
    Ok(())
}
