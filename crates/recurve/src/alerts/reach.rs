//! Which machines a message may be sent to, and where secrets come from: what whoever runs the program says, and nobody
//! who only reaches it over the web.
//!
//! A name is looked up once, every address that it has is judged, and the connection goes to one of these very addresses:
//! a name that answers differently the second time gains nothing.

use std::{
    fmt,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, ToSocketAddrs},
    path::PathBuf,
    sync::mpsc,
    time::Duration,
};

use super::send::Failure;

/// How long a name may take to be looked up.
const LOOK_UP: Duration = Duration::from_secs(5);

/// What whoever runs the program says of the world outside.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct Outside {
    /// A private address or range that messages may be sent to, such as 10.1.2.0/24; public ones may always, by https
    #[arg(long = "allow-target", value_name = "RANGE", env = "RECURVE_ALLOW_TARGETS", value_delimiter = ',')]
    pub allowed: Vec<Range>,
    /// The folder with secrets, each a file of its name; the environment's RECURVE_SECRET_NAME comes first
    #[arg(long = "secrets", value_name = "DIR", env = "RECURVE_SECRETS")]
    pub secrets: Option<PathBuf>,
    /// The address of the dashboard, for links in messages, such as https://recurve.example.com
    #[arg(long, value_name = "URL", env = "RECURVE_PUBLIC_URL")]
    pub public_url: Option<String>,
    /// A file with certificates (PEM) that mail servers may be signed by, besides the public ones
    #[arg(long, value_name = "FILE", env = "RECURVE_SMTP_CA")]
    pub smtp_ca: Option<PathBuf>,
}

/// Addresses with a common beginning.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Range {
    address: IpAddr,
    bits: u32,
}

impl std::str::FromStr for Range {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("`{text}` is no range of addresses; write 10.1.2.0/24, or one address");
        let (address, bits) = text.trim().split_once('/').unwrap_or((text.trim(), ""));
        let address: IpAddr = address.parse().map_err(|_| wrong())?;
        let most = if address.is_ipv4() { 32 } else { 128 };
        let bits = if bits.is_empty() { most } else { bits.parse().map_err(|_| wrong())? };
        if bits > most {
            return Err(wrong());
        }
        Ok(Self { address, bits })
    }
}

impl fmt::Display for Range {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.bits)
    }
}

impl Range {
    fn holds(&self, address: IpAddr) -> bool {
        match (self.address, address) {
            (IpAddr::V4(range), IpAddr::V4(address)) => {
                let mask = u32::MAX.checked_shl(32 - self.bits).unwrap_or_default();
                range.to_bits() & mask == address.to_bits() & mask
            }
            (IpAddr::V6(range), IpAddr::V6(address)) => {
                let mask = u128::MAX.checked_shl(128 - self.bits).unwrap_or_default();
                range.to_bits() & mask == address.to_bits() & mask
            }
            _ => false,
        }
    }
}

/// Ranges that are no part of the public internet, as the registries of special-purpose addresses list them.
const SPECIAL_V4: &[(Ipv4Addr, u32)] = &[
    (Ipv4Addr::new(0, 0, 0, 0), 8),
    (Ipv4Addr::new(10, 0, 0, 0), 8),
    (Ipv4Addr::new(100, 64, 0, 0), 10),
    (Ipv4Addr::new(127, 0, 0, 0), 8),
    (Ipv4Addr::new(169, 254, 0, 0), 16),
    (Ipv4Addr::new(172, 16, 0, 0), 12),
    (Ipv4Addr::new(192, 0, 0, 0), 24),
    (Ipv4Addr::new(192, 0, 2, 0), 24),
    (Ipv4Addr::new(192, 88, 99, 0), 24),
    (Ipv4Addr::new(192, 168, 0, 0), 16),
    (Ipv4Addr::new(198, 18, 0, 0), 15),
    (Ipv4Addr::new(198, 51, 100, 0), 24),
    (Ipv4Addr::new(203, 0, 113, 0), 24),
    // Multicast, reserved and broadcast.
    (Ipv4Addr::new(224, 0, 0, 0), 3),
];

/// Within the only range of IPv6 that is public, those that are not, or that lead to addresses of IPv4 by other ways.
const SPECIAL_V6: &[(Ipv6Addr, u32)] = &[
    (Ipv6Addr::new(0x2001, 0, 0, 0, 0, 0, 0, 0), 23),
    (Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0), 32),
    (Ipv6Addr::new(0x3fff, 0, 0, 0, 0, 0, 0, 0), 20),
];

/// Whether an address is one of the public internet.
fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => !SPECIAL_V4
            .iter()
            .any(|(range, bits)| Range { address: IpAddr::V4(*range), bits: *bits }.holds(IpAddr::V4(address))),
        IpAddr::V6(address) => {
            let parts = address.segments();
            let last = |high: u16, low: u16| IpAddr::V4(Ipv4Addr::from_bits((u32::from(high) << 16) | u32::from(low)));
            if parts[..6] == [0, 0, 0, 0, 0, 0xffff] || parts[..6] == [0x64, 0xff9b, 0, 0, 0, 0] {
                return is_public(last(parts[6], parts[7]));
            }
            if parts[0] == 0x2002 {
                return is_public(last(parts[1], parts[2]));
            }
            let is_special = SPECIAL_V6
                .iter()
                .any(|(range, bits)| Range { address: IpAddr::V6(*range), bits: *bits }.holds(IpAddr::V6(address)));
            parts[0] & 0xe000 == 0x2000 && !is_special
        }
    }
}

impl Outside {
    /// Whether an address was allowed by whoever runs the program.
    pub fn is_allowed(&self, address: IpAddr) -> bool {
        let plain = match address {
            IpAddr::V6(address) => address.to_ipv4_mapped().map_or(IpAddr::V6(address), IpAddr::V4),
            v4 => v4,
        };
        self.allowed.iter().any(|range| range.holds(plain) || range.holds(address))
    }

    /// The addresses of a machine, each of which may be sent to.
    pub fn addresses(&self, host: &str, port: u16) -> Result<Vec<SocketAddr>, Failure> {
        // An address in brackets, or as it stands, needs no look-up, and gets none.
        let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
        let addresses = match bare.parse::<IpAddr>() {
            Ok(address) => vec![SocketAddr::new(address, port)],
            Err(_) => looked_up(host.to_owned(), port)?,
        };
        if addresses.is_empty() {
            return Err(Failure::new("no_address", "the name of the target has no address"));
        }
        let may = |address: &SocketAddr| is_public(address.ip()) || self.is_allowed(address.ip());
        if !addresses.iter().all(may) {
            let words = "the target has a private address; whoever runs Recurve may allow it with --allow-target";
            return Err(Failure::new("private_address", words));
        }
        Ok(addresses)
    }

    /// A secret by its name.
    pub fn secret(&self, name: &str) -> Result<String, Failure> {
        let missing = || {
            let words = format!(
                "there is no secret `{name}`: set RECURVE_SECRET_{} or put a file `{name}` into the folder of --secrets",
                variable(name)
            );
            Failure::new("no_secret", words)
        };
        if !is_secret_name(name) {
            return Err(missing());
        }
        if let Ok(secret) = std::env::var(format!("RECURVE_SECRET_{}", variable(name))) {
            return Ok(secret.trim().to_owned());
        }
        let folder = self.secrets.clone().or_else(|| std::env::var_os("CREDENTIALS_DIRECTORY").map(PathBuf::from));
        let file = folder.ok_or_else(missing)?.join(name);
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            let about = std::fs::metadata(&file).map_err(|_| missing())?;
            if about.permissions().mode() & 0o004 != 0 {
                let words = format!("everybody on the machine may read the secret `{name}`: chmod 600 its file");
                return Err(Failure::new("open_secret", words));
            }
        }
        std::fs::read_to_string(&file).map(|secret| secret.trim().to_owned()).map_err(|_| missing())
    }

    /// The address of a page of the dashboard, where it is known.
    pub fn link(&self, path: &str) -> Option<String> {
        let base = self.public_url.as_deref()?.trim_end_matches('/');
        Some(format!("{base}{path}"))
    }
}

/// The part of the name of a variable.
fn variable(name: &str) -> String {
    name.to_ascii_uppercase().replace('-', "_")
}

/// Whether a name may be that of a secret: it is no path.
pub fn is_secret_name(name: &str) -> bool {
    (1..=60).contains(&name.len())
        && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'-' | b'_'))
}

/// Looks a name up, and gives up waiting after a while.
fn looked_up(host: String, port: u16) -> Result<Vec<SocketAddr>, Failure> {
    let (told, heard) = mpsc::channel();
    std::thread::spawn(move || {
        let found = (host.as_str(), port).to_socket_addrs().map(Iterator::collect::<Vec<_>>);
        // Whoever asked may have given up.
        let _ = told.send(found);
    });
    match heard.recv_timeout(LOOK_UP) {
        Ok(Ok(found)) => Ok(found),
        Ok(Err(_)) => Err(Failure::new("no_address", "the name of the target has no address")),
        Err(_) => Err(Failure::new("timeout", "the name of the target was not found in time")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_private_networks_are_none_of_the_internet_in_any_dress() {
        for private in [
            "0.0.0.0",
            "10.1.2.3",
            "100.64.0.1",
            "100.127.255.255",
            "127.0.0.1",
            "127.9.9.9",
            "169.254.169.254",
            "172.16.0.1",
            "172.31.255.255",
            "192.0.0.8",
            "192.168.1.1",
            "198.18.0.1",
            "224.0.0.1",
            "240.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "fc00::1",
            "fd12::1",
            "fe80::1",
            "ff02::1",
            "::ffff:10.0.0.1",
            "::ffff:169.254.169.254",
            "::127.0.0.1",
            "64:ff9b::10.0.0.1",
            "64:ff9b:1::1",
            "2002:7f00:1::",
            "2002:a00:1::1",
            "2001:0:1::1",
            "2001:db8::1",
            "100::1",
            "fec0::1",
            "3fff::1",
        ] {
            assert!(!is_public(private.parse().unwrap()), "{private}");
        }
        for public in [
            "1.1.1.1",
            "9.255.255.255",
            "11.0.0.0",
            "100.63.255.255",
            "100.128.0.0",
            "172.15.0.1",
            "172.32.0.1",
            "192.167.0.1",
            "223.255.255.255",
            "2606:4700::1111",
            "::ffff:1.1.1.1",
            "64:ff9b::1.1.1.1",
            "2002:101:101::",
        ] {
            assert!(is_public(public.parse().unwrap()), "{public}");
        }
    }

    #[test]
    fn a_target_is_reached_only_where_every_address_may_be() {
        let outside = |ranges: &str| Outside {
            allowed: ranges.split(',').filter(|text| !text.is_empty()).map(|text| text.parse().unwrap()).collect(),
            ..Outside::default()
        };
        let code = |outside: &Outside, host: &str| outside.addresses(host, 443).err().map(|failure| failure.code);
        assert_eq!(code(&outside(""), "127.0.0.1"), Some("private_address"));
        assert_eq!(code(&outside(""), "[::1]"), Some("private_address"));
        assert_eq!(code(&outside(""), "localhost"), Some("private_address"));
        assert_eq!(code(&outside("127.0.0.0/8"), "127.0.0.1"), None);
        assert_eq!(code(&outside("127.0.0.0/8"), "[::ffff:127.0.0.1]"), None);
        assert_eq!(code(&outside("10.1.2.0/24"), "10.1.3.1"), Some("private_address"));
        assert_eq!(code(&outside("0.0.0.0/0"), "10.1.3.1"), None);
        assert_eq!(code(&outside(""), "1.1.1.1"), None);
        for wrong in ["", "10.0.0.0/33", "ten", "10.0.0.0/-1", "::/129"] {
            assert!(wrong.parse::<Range>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_secret_is_a_name_and_never_a_path() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("ops");
        std::fs::write(&file, "  s3cret\n").unwrap();
        let outside = Outside { secrets: Some(folder.path().to_owned()), ..Outside::default() };
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o644)).unwrap();
            assert_eq!(outside.secret("ops").unwrap_err().code, "open_secret");
            std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).unwrap();
        }
        assert_eq!(outside.secret("ops").unwrap(), "s3cret");
        for wrong in ["../ops", "/etc/passwd", "", "OPS", "."] {
            assert_eq!(outside.secret(wrong).unwrap_err().code, "no_secret", "{wrong}");
        }
    }
}
