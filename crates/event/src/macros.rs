//! The macro by which each event's fields are stated once: name, type, class, example.

/// Declares event structs, the enum over them and their catalogue.
macro_rules! events {
    ($(
        $(#[doc = $doc:literal])+
        $name:ident {
            $( $(#[doc = $fdoc:literal])+ $field:ident : $ty:ty, $class:ident, $example:tt; )*
        }
    )+) => {
        $(
            $(#[doc = $doc])+
            #[derive(Debug, Clone, Default, PartialEq, serde::Serialize, serde::Deserialize)]
            #[serde(default)]
            pub struct $name {
                $(
                    $(#[doc = $fdoc])+
                    #[serde(skip_serializing_if = "Option::is_none")]
                    pub $field: Option<$ty>,
                )*
            }

            impl $name {
                const FIELDS: &'static [FieldSpec] = &[$(FieldSpec {
                    name: stringify!($field),
                    class: Class::$class,
                    about: concat!($($fdoc),+),
                    example: stringify!($example),
                },)*];

                /// A bit for each class that a field has.
                const CLASSES: u8 = 0 $( | Class::$class.bit() )*;

                #[allow(unused_variables, unused_mut)]
                fn write(&self, classes: &[Class], out: &mut Vec<u8>) -> bool {
                    if !classes.iter().any(|class| Self::CLASSES & class.bit() != 0) {
                        out.extend_from_slice(b"{}");
                        return false;
                    }
                    let mut any = false;
                    out.push(b'{');
                    $(
                        if classes.contains(&Class::$class) && let Some(value) = &self.$field {
                            let name = concat!(",\"", stringify!($field), "\":");
                            write_field(name, value, any, out);
                            any = true;
                        }
                    )*
                    out.push(b'}');
                    any
                }

                fn check(json: &str) -> Result<(), serde_json::Error> {
                    #[derive(Default, serde::Deserialize)]
                    #[serde(default)]
                    #[allow(dead_code, reason = "it is read for whether that succeeds")]
                    struct Fields {
                        $( $field: Option<<$ty as crate::checked::Checked>::As>, )*
                    }
                    serde_json::from_str::<Fields>(json).map(drop)
                }

                #[allow(unused_variables)]
                fn merge(&mut self, other: Self) {
                    $( if self.$field.is_none() { self.$field = other.$field; } )*
                }
            }

            impl From<$name> for EventData {
                fn from(data: $name) -> Self { Self::$name(Box::new(data)) }
            }
        )+

        /// The fields of an event; the variant is its type.
        #[derive(Debug, Clone, PartialEq)]
        pub enum EventData { $( $(#[doc = $doc])+ $name(Box<$name>), )+ }

        impl EventData {
            /// The event's type.
            pub const fn event_type(&self) -> EventType {
                match self { $(Self::$name(_) => EventType::$name,)+ }
            }

            /// Appends the fields of these classes as one JSON object; false where there are none
            /// (the object is then empty).
            pub fn write(&self, classes: &[Class], out: &mut Vec<u8>) -> bool {
                match self { $(Self::$name(data) => data.write(classes, out),)+ }
            }

            /// All fields as a JSON object, as the index and the API show them.
            ///
            /// # Errors
            /// Never for data of this crate's types; serde's signature allows it.
            pub fn to_json(&self) -> Result<serde_json::Value, serde_json::Error> {
                match self { $(Self::$name(data) => serde_json::to_value(data),)+ }
            }

            /// Reads one JSON object of fields.
            ///
            /// # Errors
            /// Where the text is not an object of this type's fields.
            pub fn read(event_type: EventType, json: &str) -> Result<Self, serde_json::Error> {
                match event_type {
                    $(EventType::$name => serde_json::from_str::<$name>(json).map(Into::into),)+
                }
            }

            /// Whether `read` would succeed, without copying anything.
            ///
            /// # Errors
            /// As `read`.
            pub fn check(event_type: EventType, json: &str) -> Result<(), serde_json::Error> {
                match event_type { $(EventType::$name => $name::check(json),)+ }
            }

            /// Takes what this one lacks from `other`; another type's data are ignored.
            pub fn merge(&mut self, other: Self) {
                match (self, other) {
                    $((Self::$name(into), Self::$name(from)) => into.merge(*from),)+
                    _ => {}
                }
            }
        }

        /// Every event type with its fields, in the catalogue's order.
        pub const fn catalogue() -> &'static [Catalogued] {
            &[$(Catalogued {
                event_type: EventType::$name,
                about: concat!($($doc),+),
                fields: $name::FIELDS,
            },)+]
        }
    };
}

pub(crate) use events;
