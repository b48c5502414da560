use std::fs::Metadata;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use spandrel_plugin_api::Error;

use super::super::privileged;
use super::super::settings::LoaderSettings;
use super::refused;

/// Refuses a file that untrusted users can change, by itself or by renaming
/// something above it.
pub(super) fn check(path: &Path, what: &str, file: &Metadata, settings: &LoaderSettings) -> Result<(), Error> {
    let trust = Trust::of(privileged::effective_ids(), settings);
    trust.check(&Facts::of(file)).map_err(|doubt| doubt.error(&format!("the {what}"), path, path))?;
    for dir in path.ancestors().skip(1) {
        let subject = format!("the directory {}, above the {what},", dir.display());
        let cannot = |error| {
            refused(format!("cannot look at {subject} to see who may write it"), path, "run as a user who may")
                .with_source(error)
        };
        let metadata = dir.symlink_metadata().map_err(cannot)?;
        trust.check(&Facts::of(&metadata)).map_err(|doubt| doubt.error(&subject, dir, path))?;
    }
    Ok(())
}

/// Whose files are loaded.
struct Trust<'a> {
    /// Root, and the user as whom the process runs.
    users: [u32; 2],
    more_users: &'a [u32],
    /// Root, and the own group of that user.
    groups: [u32; 2],
}

struct Facts {
    user: u32,
    group: u32,
    mode: u32,
    is_dir: bool,
}

impl Facts {
    fn of(metadata: &Metadata) -> Self {
        Self { user: metadata.uid(), group: metadata.gid(), mode: metadata.mode(), is_dir: metadata.is_dir() }
    }
}

/// Why something is not trusted.
enum Doubt {
    Owner(u32),
    Everybody,
    Group(u32),
}

const STICKY: u32 = 0o1000;
const GROUP_WRITES: u32 = 0o020;
const OTHERS_WRITE: u32 = 0o002;

impl<'a> Trust<'a> {
    fn of((user, group): (u32, u32), settings: &'a LoaderSettings) -> Self {
        // With more rights than its user has, that user, or the group that brings
        // the rights, is nobody to trust.
        let (user, group) = if settings.elevated { (0, 0) } else { (user, group) };
        Self { users: [0, user], more_users: &settings.trusted_owners, groups: [0, group] }
    }

    fn check(&self, facts: &Facts) -> Result<(), Doubt> {
        if !self.users.contains(&facts.user) && !self.more_users.contains(&facts.user) {
            return Err(Doubt::Owner(facts.user));
        }
        // As /tmp: everybody may add files there, and change but their own.
        if facts.is_dir && facts.user == 0 && facts.mode & STICKY != 0 {
            return Ok(());
        }
        if facts.mode & OTHERS_WRITE != 0 {
            return Err(Doubt::Everybody);
        }
        if facts.mode & GROUP_WRITES != 0 && !self.groups.contains(&facts.group) {
            return Err(Doubt::Group(facts.group));
        }
        Ok(())
    }
}

impl Doubt {
    fn error(&self, subject: &str, entry: &Path, path: &Path) -> Error {
        let entry = entry.display();
        let (trouble, remedy) = match self {
            Self::Owner(user) => (
                format!("belongs to user {user}, whom this process does not trust"),
                format!("chown root {entry}, or set plugin_trusted_owners = [{user}]"),
            ),
            Self::Everybody => ("can be written by every user".to_owned(), format!("chmod go-w {entry}")),
            Self::Group(group) => (format!("can be written by group {group}"), format!("chmod g-w {entry}")),
        };
        refused(format!("{subject} {trouble}"), path, remedy)
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::super::super::settings::LoaderSettings;
    use super::{Facts, Trust};

    #[test]
    fn who_may_write_decides() {
        let owners = [700];
        let trust = Trust { users: [0, 1000], more_users: &owners, groups: [0, 1000] };
        for (what, user, group, mode, is_dir, doubt) in [
            ("of root", 0, 0, 0o755, false, ""),
            ("of this user", 1000, 1000, 0o644, false, ""),
            ("of a trusted user", 700, 700, 0o644, false, ""),
            ("of another user", 1001, 1001, 0o644, false, "belongs to user 1001, whom this process does not trust"),
            ("world-writable", 0, 0, 0o646, false, "can be written by every user"),
            ("sticky, but a file", 0, 0, 0o1777, false, "can be written by every user"),
            ("group of root", 0, 0, 0o664, false, ""),
            ("own group", 1000, 1000, 0o664, false, ""),
            ("some group", 1000, 50, 0o664, false, "can be written by group 50"),
            ("a directory", 0, 0, 0o755, true, ""),
            ("/tmp", 0, 0, 0o1777, true, ""),
            ("as /tmp, for a group", 0, 50, 0o1775, true, ""),
            ("as /tmp, of this user", 1000, 1000, 0o1777, true, "can be written by every user"),
            ("an open directory", 0, 0, 0o777, true, "can be written by every user"),
            ("a directory of a group", 0, 50, 0o775, true, "can be written by group 50"),
        ] {
            let found = trust.check(&Facts { user, group, mode, is_dir });
            let found = found.map_or_else(
                |doubt| doubt.error("it", Path::new("/e"), Path::new("/p")).message().to_owned(),
                |()| String::new(),
            );
            assert_eq!(found.strip_prefix("it ").unwrap_or_default(), doubt, "{what}");
        }
    }

    #[test]
    fn each_doubt_has_its_command() {
        let trust = Trust { users: [0, 1000], more_users: &[], groups: [0, 1000] };
        for (user, mode, remedy) in [
            (1001, 0o644, "chown root /d, or set plugin_trusted_owners = [1001]"),
            (0, 0o666, "chmod go-w /d"),
            (0, 0o664, "chmod g-w /d"),
        ] {
            let doubt = trust.check(&Facts { user, group: 50, mode, is_dir: false }).unwrap_err();
            let error = doubt.error("it", Path::new("/d"), Path::new("/d/p"));
            assert_eq!((error.context("path"), error.context("remedy")), (Some("/d/p"), Some(remedy)));
        }
    }

    #[test]
    fn with_more_rights_only_root_and_the_program_are_trusted() {
        let settings = LoaderSettings { elevated: true, trusted_owners: vec![7], ..LoaderSettings::default() };
        let trust = Trust::of((1000, 1000), &settings);
        assert_eq!((trust.users, trust.more_users, trust.groups), ([0, 0], &[7][..], [0, 0]));
        let settings = LoaderSettings { elevated: false, ..settings };
        assert_eq!(Trust::of((1000, 1001), &settings).users, [0, 1000]);
        assert_eq!(Trust::of((1000, 1001), &settings).groups, [0, 1001]);
    }
}
