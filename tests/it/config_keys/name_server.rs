//! A name server on the loopback address that knows one address for every name. No test, and no
//! more of RFC 1035 than a question for an IPv4 address needs.

use std::net::{Ipv4Addr, SocketAddr, UdpSocket};

/// Starts it; its thread ends with the process.
pub(super) fn start(answer: Ipv4Addr) -> SocketAddr {
    let socket = UdpSocket::bind("127.0.0.1:0").expect("a port of the loopback address");
    let address = socket.local_addr().expect("a bound socket has an address");
    std::thread::spawn(move || {
        let mut buffer = [0; 512];
        while let Ok((length, from)) = socket.recv_from(&mut buffer) {
            let reply = reply(&buffer[..length], answer);
            // A client that is gone is not this server's business.
            drop(socket.send_to(&reply, from));
        }
    });
    address
}

fn reply(message: &[u8], answer: Ipv4Addr) -> Vec<u8> {
    let name = message[12..].iter().position(|byte| *byte == 0).expect("a name ends");
    let question = &message[12..12 + name + 5];
    let is_v4 = question[name + 1..name + 3] == [0, 1];
    let records = u8::from(is_v4);
    let mut reply = [&message[..2], &[0x81, 0x80, 0, 1, 0, records, 0, 0, 0, 0], question].concat();
    if is_v4 {
        // The question's name, an address, of the internet, not to be kept, four bytes.
        reply.extend([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 0, 0, 4]);
        reply.extend(answer.octets());
    }
    reply
}
