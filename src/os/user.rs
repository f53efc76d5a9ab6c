//! The users and groups of the machine, as its files name them. (The C library asks other sources too, but by loading parts of itself,
//! which a program that has the library inside cannot do.)

use super::program::Ids;
use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;

/// A user.
#[derive(Debug, PartialEq, Eq)]
pub struct Account {
    /// Its name.
    pub name: String,
    /// Its numbers, all groups that it belongs to included.
    pub ids: Ids,
}

/// The user of a name.
pub fn by_name(name: &str) -> Option<Account> {
    account(&passwords(), &groups(), |known, _| known == name)
}

/// The user of a number.
pub fn by_number(number: u32) -> Option<Account> {
    account(&passwords(), &groups(), |_, known| known == number)
}

/// The name of a user's number.
pub fn name_of(number: u32) -> Option<String> {
    let found = account(&passwords(), "", |_, known| known == number);
    found.map(|account| account.name)
}

/// The number of a group.
pub fn group(name: &str) -> Option<u32> {
    group_in(&groups(), name)
}

/// The home directory of a user, or of the one that this process belongs to: as `HOME` says, else as the users' file does (services and
/// jobs of cron have no `HOME`). `None` where nobody says one.
pub fn home(of: Option<&str>) -> Option<OsString> {
    if of.is_none()
        && let Some(home) = std::env::var_os("HOME")
    {
        return Some(home);
    }
    let own = nix::unistd::getuid().as_raw();
    let users = std::fs::read("/etc/passwd").ok()?;
    home_in(&users, |name, number| match of {
        Some(wanted) => name == wanted.as_bytes(),
        None => number == own,
    })
}

fn home_in(users: &[u8], is_it: impl Fn(&[u8], u32) -> bool) -> Option<OsString> {
    users.split(|&byte| byte == b'\n').find_map(|line| {
        let mut fields = line.split(|&byte| byte == b':');
        let name = fields.next()?;
        let number = str::from_utf8(fields.nth(1)?).ok()?.parse().ok()?;
        let home = fields.nth(2)?;
        is_it(name, number).then(|| OsString::from_vec(home.to_vec()))
    })
}

fn passwords() -> String {
    read("/etc/passwd")
}

fn groups() -> String {
    read("/etc/group")
}

fn read(path: &str) -> String {
    let bytes = std::fs::read(path).unwrap_or_default();
    String::from_utf8_lossy(&bytes).into_owned()
}

/// `name:password:number:group:...`, and `name:password:number:member,member`.
fn account(passwords: &str, groups: &str, is_it: impl Fn(&str, u32) -> bool) -> Option<Account> {
    let (name, user, group) = passwords.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        let user = fields.nth(1)?.parse().ok()?;
        let group: u32 = fields.next()?.parse().ok()?;
        is_it(name, user).then_some((name, user, group))
    })?;
    let further = groups.lines().filter_map(|line| {
        let mut fields = line.split(':').skip(2);
        let number = fields.next()?.parse().ok()?;
        let is_member = fields.next()?.split(',').any(|member| member == name);
        (is_member && number != group).then_some(number)
    });
    let groups = std::iter::once(group).chain(further).collect();
    Some(Account {
        name: name.to_string(),
        ids: Ids {
            user,
            group,
            groups,
        },
    })
}

fn group_in(groups: &str, name: &str) -> Option<u32> {
    groups.lines().find_map(|line| {
        let mut fields = line.split(':');
        let is_it = fields.next()? == name;
        is_it.then(|| fields.nth(1)?.parse().ok())?
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const PASSWORDS: &str =
        "root:x:0:0:root:/root:/bin/sh\n+\nbroken:x:y\nann:x:1000:100:Ann,,,:/home/ann:/bin/sh\n";
    const GROUPS: &str = "root:x:0:\nusers:x:100:ann,bob\naudio:x:29:bob,ann\nann2:x:7:anna\n";

    #[test]
    fn a_user_has_its_group_and_those_that_name_it() {
        let found = account(PASSWORDS, GROUPS, |name, _| name == "ann");
        let ids = found.map(|account| account.ids);
        let (user, group, groups) = (1000, 100, vec![100, 29]);
        assert_eq!(
            ids,
            Some(Ids {
                user,
                group,
                groups
            })
        );
        assert_eq!(account(PASSWORDS, GROUPS, |name, _| name == "broken"), None);
        let home = |wanted: u32| home_in(PASSWORDS.as_bytes(), |_, number| number == wanted);
        assert_eq!(home(1000), Some("/home/ann".into()));
        assert_eq!(home(7), None);
        assert_eq!(group_in(GROUPS, "audio"), Some(29));
        assert_eq!(group_in(GROUPS, "au"), None);
    }
}
