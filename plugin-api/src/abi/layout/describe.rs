use std::ffi::c_void;

use abi_stable::StableAbi;
use abi_stable::library::AbiHeader;
use abi_stable::type_layout::TypeLayout;

use super::Layout;
use super::compare::differences;
use crate::abi::Descriptor;

/// So many differences are listed; the others mostly follow from them.
const LISTED: usize = 4;

/// What [`Descriptor::layout`] points to.
#[repr(C)]
struct Description {
    /// Bytes of this structure that are there.
    size: usize,
    /// The version of `abi_stable`. Until it was compared, `root` means nothing.
    abi_stable: AbiHeader,
    /// A descriptor leads to all other types of the boundary.
    root: &'static TypeLayout,
}

static DESCRIPTION: Description = Description {
    size: size_of::<Description>(),
    abi_stable: AbiHeader::VALUE,
    root: <Descriptor as StableAbi>::LAYOUT,
};

/// What a plugin puts into [`Descriptor::layout`].
#[must_use]
pub const fn layout() -> *const c_void {
    (&raw const DESCRIPTION).cast()
}

/// Compares a plugin's types of the boundary with those of this program.
///
/// Structures and tables that begin with their size may be longer or shorter on one
/// side; all else must be equal. That includes the names of types and fields, so
/// that fields of one type cannot change places. The names of parameters are not compared,
/// nor is what the numbers mean.
///
/// # Safety
///
/// `theirs` is null or a pointer that [`layout`] returned, in this or in another library that is
/// never unloaded.
///
/// # Errors
///
/// What differs, in one line, or that the plugin's description cannot be read because
/// it is from another `abi_stable`.
pub unsafe fn check_layout(theirs: *const c_void) -> Result<Layout, String> {
    if theirs.is_null() {
        return Ok(Layout::NotDescribed);
    }
    // SAFETY: as the caller promises, it points to a description, which begins with its size.
    let size = unsafe { theirs.cast::<usize>().read() };
    if size < size_of::<Description>() {
        return Err(format!("the plugin describes its layout in {size} bytes, {} expected", size_of::<Description>()));
    }
    let theirs = theirs.cast::<Description>();
    // SAFETY: so many bytes are there, and the header has the same form in every version.
    let header = unsafe { &(*theirs).abi_stable };
    if !header.is_valid() {
        return Err(other_version(header));
    }
    // SAFETY: the plugin has the same `abi_stable`, whose layouts are made to be read by
    // other libraries; the library stays loaded, as the caller promises.
    let root = unsafe { (*theirs).root };
    let found = differences(root, DESCRIPTION.root);
    if found.is_empty() { Ok(Layout::Same) } else { Err(message(&found)) }
}

fn other_version(theirs: &AbiHeader) -> String {
    let ours = AbiHeader::VALUE;
    if theirs.magic_string != ours.magic_string {
        return "the plugin's layout is not described by abi_stable".to_owned();
    }
    format!(
        "the plugin's layout is described by abi_stable {}.{}, which abi_stable {}.{} cannot read",
        theirs.abi_major, theirs.abi_minor, ours.abi_major, ours.abi_minor
    )
}

fn message(found: &[String]) -> String {
    let listed = found[..found.len().min(LISTED)].join("; ");
    match found.len().saturating_sub(LISTED) {
        0 => format!("the plugin's layout differs: {listed}"),
        more => format!("the plugin's layout differs: {listed}; and {more} more"),
    }
}

#[cfg(all(test, target_pointer_width = "64"))]
mod tests {
    use super::*;

    fn check(change: impl FnOnce(&mut Description)) -> Result<Layout, String> {
        let mut theirs = Description { ..DESCRIPTION };
        change(&mut theirs);
        // SAFETY: a description whose root is a constant.
        unsafe { check_layout((&raw const theirs).cast()) }
    }

    fn message_of(count: usize) -> String {
        message(&vec!["Event has 8 bytes, 9 expected".to_owned(); count])
    }

    #[test]
    fn a_plugin_with_the_same_types_passes() {
        // SAFETY: from `layout`, and null.
        unsafe {
            assert_eq!(check_layout(layout()), Ok(Layout::Same));
            assert_eq!(check_layout(std::ptr::null()), Ok(Layout::NotDescribed));
        }
    }

    #[test]
    fn a_plugin_with_another_descriptor_is_refused() {
        #[repr(C)]
        #[derive(StableAbi)]
        struct Descriptor {
            magic: [u8; 4],
            size: usize,
        }
        assert_eq!(
            check(|it| it.root = <Descriptor as StableAbi>::LAYOUT),
            Err("the plugin's layout differs: Descriptor.magic is [u8; 4] at offset 0, [u8; 8] at offset 0 expected"
                .to_owned())
        );
    }

    #[test]
    fn a_description_by_another_abi_stable_is_not_read() {
        assert_eq!(
            check(|it| it.abi_stable.abi_minor += 1),
            Err("the plugin's layout is described by abi_stable 0.12, which abi_stable 0.11 cannot read".to_owned())
        );
        assert_eq!(
            check(|it| it.abi_stable.magic_string = [0; 32]),
            Err("the plugin's layout is not described by abi_stable".to_owned())
        );
        assert_eq!(check(|it| it.size = 8), Err("the plugin describes its layout in 8 bytes, 56 expected".to_owned()));
    }

    #[test]
    fn a_message_has_one_line() {
        assert_eq!(message_of(1), "the plugin's layout differs: Event has 8 bytes, 9 expected");
        assert_eq!(message_of(2).matches("; ").count(), 1);
        assert!(message_of(9).ends_with("; Event has 8 bytes, 9 expected; and 5 more"), "{}", message_of(9));
        assert!(!message_of(9).contains('\n'));
    }
}
