//! Compares two layouts. `abi_stable` has a checker of its own, but that refuses what is
//! longer or shorter at its end, and prints a thousand lines; see docs/adr/0008.

use std::collections::HashSet;
use std::fmt::{self, Display};

use abi_stable::std_types::UTypeId;
use abi_stable::type_layout::{ReprAttr, TLData, TLField, TLFunction, TLPrimitive, TypeLayout};

/// What differs between their type and ours, in words, and in all types that these lead to.
///
/// A type is named once, with its first difference.
pub(super) fn differences(theirs: &'static TypeLayout, ours: &'static TypeLayout) -> Vec<String> {
    let mut comparison = Comparison { seen: HashSet::new(), found: Vec::new() };
    comparison.types(Type::of(theirs), Type::of(ours), true);
    comparison.found
}

struct Comparison {
    /// Types lead to themselves: an error has a function that takes an error. Addresses
    /// of layouts would not do, as there may be copies of one.
    seen: HashSet<(UTypeId, UTypeId, bool)>,
    found: Vec<String>,
}

impl Comparison {
    /// Compares what is behind two types that read the same.
    fn types(&mut self, theirs: Type, ours: Type, are_pointed_to: bool) {
        match (theirs.shape(), ours.shape()) {
            (Shape::Function(their), Shape::Function(our)) => {
                types_of(&their).zip(types_of(&our)).for_each(|(their, our)| self.types(their, our, false));
            }
            (Shape::Pointer(their), Shape::Pointer(our)) => self.types(their, our, true),
            (Shape::Array(their), Shape::Array(our)) => self.types(their, our, false),
            (Shape::Struct(their), Shape::Struct(our)) => {
                // What lies inside of something else cannot grow, even if it has a size.
                let may_grow = are_pointed_to && grows(&their) && grows(&our);
                if self.is_new(theirs, ours, may_grow) && self.fields(&their, ours, &our) {
                    match may_grow {
                        true => self.ends(theirs, &their, ours, &our),
                        false => self.counts(theirs, &their, ours, &our),
                    }
                }
            }
            (Shape::Union(their), Shape::Union(our)) => {
                // More members are for kinds of values that the other side leaves out.
                if self.is_new(theirs, ours, false) && self.fields(&their, ours, &our) {
                    self.sizes(theirs, ours);
                }
            }
            _ => self.sizes(theirs, ours),
        }
    }

    fn is_new(&mut self, theirs: Type, ours: Type, may_grow: bool) -> bool {
        self.seen.insert((theirs.layout.get_utypeid(), ours.layout.get_utypeid(), may_grow))
    }

    /// Compares the fields that both have; false if one differs, so that what is behind it
    /// cannot be compared.
    fn fields(&mut self, theirs: &[Field], of: Type, ours: &[Field]) -> bool {
        for (their, our) in theirs.iter().zip(ours) {
            let (at, at_ours) = (their.offset, our.offset);
            if their.name != our.name && !their.is_reserved() && !our.is_reserved() {
                self.found.push(format!("{of} has {their} at offset {at}, {our} expected"));
                return false;
            }
            if at != at_ours || their.of.to_string() != our.of.to_string() {
                let (name, their, our) = (our.name, their.of, our.of);
                self.found.push(format!("{of}.{name} is {their} at offset {at}, {our} at offset {at_ours} expected"));
                return false;
            }
            self.types(their.of, our.of, false);
            if their.of.layout.size() != our.of.layout.size() {
                // Inside of it was found why; all behind it lies elsewhere therefore.
                return false;
            }
        }
        true
    }

    /// What one side alone has must lie behind all that the other has, padding included:
    /// it is by the size that a reader knows whether a field is there.
    fn ends(&mut self, theirs: Type, their_fields: &[Field], ours: Type, our_fields: &[Field]) {
        let shorter = theirs.layout.size().min(ours.layout.size());
        let more = their_fields.get(our_fields.len()).or(our_fields.get(their_fields.len()));
        if let Some(more) = more.filter(|more| more.offset < shorter) {
            self.found.push(format!("{ours} has {more} at offset {} on one side, padding on the other", more.offset));
        } else {
            self.alignments(theirs, ours);
        }
    }

    fn counts(&mut self, theirs: Type, their_fields: &[Field], ours: Type, our_fields: &[Field]) {
        let (their_count, our_count) = (their_fields.len(), our_fields.len());
        if their_count != our_count && theirs.layout.size() == ours.layout.size() {
            self.found.push(format!("{ours} has {their_count} fields, {our_count} expected"));
        } else {
            self.sizes(theirs, ours);
        }
    }

    fn sizes(&mut self, theirs: Type, ours: Type) {
        let (their_size, our_size) = (theirs.layout.size(), ours.layout.size());
        if their_size == our_size {
            self.alignments(theirs, ours);
        } else {
            self.found.push(format!("{ours} has {their_size} bytes, {our_size} expected"));
        }
    }

    fn alignments(&mut self, theirs: Type, ours: Type) {
        let (their, our) = (theirs.layout.alignment(), ours.layout.alignment());
        if their != our {
            self.found.push(format!("{ours} is aligned to {their} bytes, {our} expected"));
        }
    }
}

/// The type of a field or parameter.
#[derive(Clone, Copy)]
struct Type {
    layout: &'static TypeLayout,
    /// `abi_stable` keeps the parameters of a function with the field that holds it.
    function: Option<TLFunction>,
}

enum Shape {
    Function(TLFunction),
    Pointer(Type),
    Array(Type),
    Struct(Vec<Field>),
    Union(Vec<Field>),
    Other,
}

impl Type {
    fn of(layout: &'static TypeLayout) -> Self {
        match layout.data() {
            // Such a type stands for its only field.
            TLData::Struct { fields } if layout.repr_attr() == ReprAttr::Transparent => {
                fields.get(0).map_or(Self { layout, function: None }, Self::of_field)
            }
            _ => Self { layout, function: None },
        }
    }

    fn of_field(field: TLField) -> Self {
        match field.function_range().iter().next() {
            Some(function) => Self { layout: field.layout(), function: Some(function) },
            None => Self::of(field.layout()),
        }
    }

    fn shape(self) -> Shape {
        if let Some(function) = self.function {
            return Shape::Function(function);
        }
        match self.layout.data() {
            TLData::Primitive(TLPrimitive::ConstPtr | TLPrimitive::MutPtr) => {
                self.target().map_or(Shape::Other, Shape::Pointer)
            }
            TLData::Primitive(TLPrimitive::Array) => self.target().map_or(Shape::Other, Shape::Array),
            TLData::Struct { fields } => Shape::Struct(Field::in_struct(fields.iter())),
            TLData::Union { fields } => Shape::Union(fields.iter().map(|field| Field::new(&field, 0)).collect()),
            _ => Shape::Other,
        }
    }

    /// What a pointer points to, or an array consists of.
    fn target(self) -> Option<Self> {
        self.layout.generics().type_params().first().map(|target| Self::of(target()))
    }
}

impl Display for Type {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.shape() {
            Shape::Function(function) => {
                let mut types: Vec<String> = types_of(&function).map(|of| of.to_string()).collect();
                let returned = function.return_type_layout().and_then(|_| types.pop());
                write!(f, "fn({})", types.join(", "))?;
                returned.map_or(Ok(()), |returned| write!(f, " -> {returned}"))?;
                if self.layout.is_nonzero() { f.write_str(", never null") } else { Ok(()) }
            }
            Shape::Pointer(target) => write!(f, "{} {target}", self.layout.name()),
            Shape::Array(element) => {
                write!(f, "[{element}; {}]", self.layout.size().checked_div(element.layout.size()).unwrap_or(0))
            }
            Shape::Struct(_) | Shape::Union(_) | Shape::Other => f.write_str(self.layout.name()),
        }
    }
}

/// The parameters of a function, and what it returns if it does.
fn types_of(function: &TLFunction) -> impl Iterator<Item = Type> {
    function.param_type_layouts.iter().chain(function.return_type_layout()).map(|layout| Type::of(layout()))
}

struct Field {
    name: &'static str,
    offset: usize,
    of: Type,
}

impl Field {
    fn new(field: &TLField, offset: usize) -> Self {
        Self { name: field.name(), offset, of: Type::of_field(*field) }
    }

    /// The layouts have no offsets; in a `repr(C)` structure they follow from sizes
    /// and alignments.
    fn in_struct(fields: impl Iterator<Item = TLField>) -> Vec<Self> {
        let mut end = 0_usize;
        fields
            .map(|field| {
                let offset = end.next_multiple_of(field.layout().alignment());
                end = offset + field.layout().size();
                Self::new(&field, offset)
            })
            .collect()
    }

    /// A later version may give it a name and a meaning.
    fn is_reserved(&self) -> bool {
        self.name == "reserved"
    }
}

impl Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.name, self.of)
    }
}

/// Whether a type begins with its size: then it may be longer than another.
fn grows(fields: &[Field]) -> bool {
    fields.iter().any(|field| field.name == "size" && field.of.layout.name() == "usize")
}

#[cfg(all(test, target_pointer_width = "64"))]
mod tests;
