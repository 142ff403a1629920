//! What the detectors find in texts: reads `{"text": "…"}` a line on standard input, writes
//! `{"findings": [{"kind", "start", "end", "score"}]}` a line, bounds in characters. The last
//! line says how long detecting took: `{"bytes", "rounds", "seconds"}`. For comparisons.

use policy::Detectors;
use serde::{Deserialize, Serialize};
use std::io::{BufWriter, Read, Write};
use std::time::{Duration, Instant};

/// Texts are looked through again until so much time has passed, so that it can be measured.
const MEASURED: Duration = Duration::from_millis(1500);

#[derive(Deserialize)]
struct Line {
    text: String,
}

#[derive(Serialize)]
struct Found {
    kind: String,
    start: usize,
    end: usize,
    score: f32,
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut input = String::new();
    std::io::stdin().read_to_string(&mut input)?;
    let texts: Vec<String> = input
        .lines()
        .map(|line| serde_json::from_str::<Line>(line).map(|line| line.text))
        .collect::<Result<_, _>>()?;
    let detectors = Detectors::default();
    let mut out = BufWriter::new(std::io::stdout().lock());
    for text in &texts {
        let characters = |at: usize| text.get(..at).unwrap_or_default().chars().count();
        let found = detectors.detect(text);
        let found: Vec<Found> = found
            .iter()
            .map(|finding| Found {
                kind: finding.kind.to_string(),
                start: characters(finding.start),
                end: characters(finding.end),
                score: finding.score,
            })
            .collect();
        serde_json::to_writer(&mut out, &serde_json::json!({ "findings": found }))?;
        out.write_all(b"\n")?;
    }
    let (start, mut rounds, mut seen) = (Instant::now(), 0_u64, 0);
    while start.elapsed() < MEASURED {
        rounds += 1;
        seen += texts.iter().map(|text| detectors.detect(text).len()).sum::<usize>();
    }
    let bytes: usize = texts.iter().map(String::len).sum();
    let seconds = start.elapsed().as_secs_f64();
    let last = serde_json::json!({
        "bytes": bytes, "rounds": rounds, "seconds": seconds, "findings": seen,
    });
    serde_json::to_writer(&mut out, &last)?;
    out.write_all(b"\n")?;
    Ok(())
}
