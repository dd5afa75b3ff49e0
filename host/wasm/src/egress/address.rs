//! Which addresses are on the public internet: everything in IANA's special-purpose registries
//! is not, nor is any form that carries such a v4 address inside v6.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// What an address is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AddressClass {
    /// Reachable by anybody.
    Public,
    /// Something else; the text says what.
    Special(&'static str),
}

/// IANA IPv4 Special-Purpose Address Registry, with multicast and the reserved block.
const V4: &[(Ipv4Addr, u8, &str)] = &[
    (Ipv4Addr::new(0, 0, 0, 0), 8, "this network"),
    (Ipv4Addr::new(10, 0, 0, 0), 8, "a private network"),
    (Ipv4Addr::new(100, 64, 0, 0), 10, "carrier-grade NAT"),
    (Ipv4Addr::new(127, 0, 0, 0), 8, "this machine (loopback)"),
    (Ipv4Addr::new(169, 254, 0, 0), 16, "link-local, where cloud metadata services are"),
    (Ipv4Addr::new(172, 16, 0, 0), 12, "a private network"),
    (Ipv4Addr::new(192, 0, 0, 0), 24, "protocol assignments"),
    (Ipv4Addr::new(192, 0, 2, 0), 24, "documentation"),
    (Ipv4Addr::new(192, 31, 196, 0), 24, "AS112"),
    (Ipv4Addr::new(192, 52, 193, 0), 24, "AMT"),
    (Ipv4Addr::new(192, 88, 99, 0), 24, "6to4 relays"),
    (Ipv4Addr::new(192, 168, 0, 0), 16, "a private network"),
    (Ipv4Addr::new(192, 175, 48, 0), 24, "AS112"),
    (Ipv4Addr::new(198, 18, 0, 0), 15, "benchmarking"),
    (Ipv4Addr::new(198, 51, 100, 0), 24, "documentation"),
    (Ipv4Addr::new(203, 0, 113, 0), 24, "documentation"),
    (Ipv4Addr::new(224, 0, 0, 0), 4, "multicast"),
    (Ipv4Addr::new(240, 0, 0, 0), 4, "reserved or broadcast"),
];

/// IANA IPv6 Special-Purpose Address Registry, with multicast and what is deprecated. Forms that
/// embed a v4 address are refused as a whole: no service needs to be reached through them.
const V6: &[(u128, u8, &str)] = &[
    (0, 96, "IPv4-compatible, unspecified or this machine (loopback)"),
    (0x0000_0000_0000_0000_ffff_0000_0000_0000, 96, "IPv4-translated"),
    (0x0064_ff9b_0000_0000_0000_0000_0000_0000, 96, "NAT64"),
    (0x0064_ff9b_0001_0000_0000_0000_0000_0000, 48, "local NAT64"),
    (0x0100_0000_0000_0000_0000_0000_0000_0000, 64, "discard-only"),
    (0x0100_0000_0000_0001_0000_0000_0000_0000, 64, "dummy prefix"),
    (0x2001_0000_0000_0000_0000_0000_0000_0000, 23, "protocol assignments, Teredo among them"),
    (0x2001_0db8_0000_0000_0000_0000_0000_0000, 32, "documentation"),
    (0x2002_0000_0000_0000_0000_0000_0000_0000, 16, "6to4"),
    (0x2620_004f_8000_0000_0000_0000_0000_0000, 48, "AS112"),
    (0x3fff_0000_0000_0000_0000_0000_0000_0000, 20, "documentation"),
    (0x5f00_0000_0000_0000_0000_0000_0000_0000, 16, "segment routing"),
    (0xfc00_0000_0000_0000_0000_0000_0000_0000, 7, "a private network (unique local)"),
    (0xfe80_0000_0000_0000_0000_0000_0000_0000, 10, "link-local"),
    (0xfec0_0000_0000_0000_0000_0000_0000_0000, 10, "site-local"),
    (0xff00_0000_0000_0000_0000_0000_0000_0000, 8, "multicast"),
];

/// Classifies an address. IPv4-mapped ones count as the address they map.
pub fn classify(address: IpAddr) -> AddressClass {
    match address.to_canonical() {
        IpAddr::V4(v4) => classify_v4(v4),
        IpAddr::V6(v6) => classify_v6(v6),
    }
}

fn classify_v4(address: Ipv4Addr) -> AddressClass {
    let bits = address.to_bits();
    V4.iter()
        .find(|(network, length, _)| bits >> (32 - length) == network.to_bits() >> (32 - length))
        .map_or(AddressClass::Public, |(_, _, what)| AddressClass::Special(what))
}

fn classify_v6(address: Ipv6Addr) -> AddressClass {
    let bits = address.to_bits();
    let listed =
        V6.iter().find(|(network, length, _)| bits >> (128 - length) == network >> (128 - length));
    match listed {
        Some((_, _, what)) => AddressClass::Special(what),
        // ISATAP hides a v4 address in the interface identifier `::0:5efe:a.b.c.d`.
        None if (bits >> 32) & 0xfdff_ffff == 0x0000_5efe => AddressClass::Special("ISATAP"),
        // Only 2000::/3 is handed out as global unicast.
        None if bits >> 125 != 1 => AddressClass::Special("not global unicast"),
        None => AddressClass::Public,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(addresses: &[&str], public: bool) {
        for text in addresses {
            let class = classify(text.parse().unwrap());
            assert_eq!(class == AddressClass::Public, public, "{text}: {class:?}");
        }
    }

    #[test]
    fn public_addresses_are_public() {
        check(
            &[
                "1.1.1.1",
                "8.8.8.8",
                "93.184.216.34",
                "172.15.0.1",
                "172.32.0.1",
                "100.63.255.255",
                "100.128.0.1",
                "198.17.0.1",
                "198.20.0.1",
                "223.255.255.255",
                "2606:4700::1111",
                "2a00:1450:4001::1",
                "::ffff:1.1.1.1",
                "2001:200::1",
                "2001:4860:4860::8888",
            ],
            true,
        );
    }

    #[test]
    fn special_v4_addresses_are_not() {
        check(
            &[
                "0.0.0.0",
                "0.1.2.3",
                "10.0.0.1",
                "100.64.0.1",
                "100.127.255.255",
                "127.0.0.1",
                "127.255.255.254",
                "169.254.169.254",
                "172.16.0.1",
                "172.31.255.255",
                "192.0.0.1",
                "192.0.2.1",
                "192.88.99.1",
                "192.168.0.1",
                "198.18.0.1",
                "198.19.255.255",
                "198.51.100.1",
                "203.0.113.1",
                "224.0.0.1",
                "239.255.255.255",
                "240.0.0.1",
                "255.255.255.255",
            ],
            false,
        );
    }

    #[test]
    fn special_v6_addresses_are_not() {
        check(
            &[
                "::",
                "::1",
                "::127.0.0.1",
                "::8.8.8.8",
                "::ffff:127.0.0.1",
                "::ffff:10.0.0.1",
                "::ffff:0:127.0.0.1",
                "64:ff9b::7f00:1",
                "64:ff9b::8.8.8.8",
                "64:ff9b:1::1",
                "100::1",
                "100:0:0:1::1",
                "2001::1",
                "2001:0:53aa:64c::1",
                "2001:db8::1",
                "2001:10::1",
                "2002:7f00:1::",
                "3fff::1",
                "5f00::1",
                "fc00::1",
                "fd00:ec2::254",
                "fe80::1",
                "fec0::1",
                "ff02::1",
                "2a00::5efe:7f00:1",
                "2a00::200:5efe:7f00:1",
                "4000::1",
                "1::1",
            ],
            false,
        );
    }
}
