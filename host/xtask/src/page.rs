//! One web page on a loopback port, for the demonstration to fetch.
//! Not a web server: whatever is asked, it gives the one page.

use anyhow::{Context, Result};
use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::time::Duration;

/// A sentence of the page, to look for in an answer.
pub(crate) const SENTENCE: &str = "Platform 4 is closed for repairs until the end of the month.";

const PAGE: &str = "<!doctype html>
<html>
<head><meta charset=\"utf-8\"><title>Station notice board</title>
<style>body { font-family: serif }</style><script>console.log('not for the model')</script></head>
<body>
<nav><a href=\"/\">home</a> <a href=\"/timetable\">timetable</a></nav>
<h1>Station notice board</h1>
<p>Platform 4 is closed for repairs until the end of the month.</p>
<ul><li>Trains to the coast leave from platform 2.</li><li>The café opens at 6:30.</li></ul>
</body>
</html>
";

/// Serves the page until the process ends and returns its address.
pub(crate) fn serve() -> Result<SocketAddr> {
    let listener = TcpListener::bind(("127.0.0.1", 0)).context("cannot listen on 127.0.0.1")?;
    let address = listener.local_addr().context("the listener has no address")?;
    std::thread::spawn(move || {
        for connection in listener.incoming().flatten() {
            // A client that goes away harms nobody; the next one is served.
            drop(answer(connection));
        }
    });
    Ok(address)
}

fn answer(mut connection: TcpStream) -> std::io::Result<()> {
    connection.set_read_timeout(Some(Duration::from_secs(5)))?;
    let mut head = BufReader::new(&connection);
    let mut line = String::new();
    while head.read_line(&mut line)? > 2 {
        line.clear();
    }
    write!(
        connection,
        "HTTP/1.1 200 OK\r\ncontent-type: text/html; charset=utf-8\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{PAGE}",
        PAGE.len()
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read;

    #[test]
    fn the_page_is_served_more_than_once() {
        let address = serve().unwrap();
        for _ in 0..2 {
            let mut connection = TcpStream::connect(address).unwrap();
            connection.write_all(b"GET /notices HTTP/1.1\r\nhost: x\r\n\r\n").unwrap();
            let mut answer = String::new();
            connection.read_to_string(&mut answer).unwrap();
            assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
            assert!(answer.contains(SENTENCE), "{answer}");
        }
    }
}
