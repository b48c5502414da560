//! `baggage`: what is passed on of it.

use crate::{Incoming, incoming};

#[rustfmt::skip]
pub(crate) const PASSED_ON: &[Incoming] = &[
    incoming("W3C Baggage, 3.3.1.1, example", &[("baggage", "key1=value1;property1;property2, key2 = value2, key3=value3; propertyKey=propertyValue")], "key1=value1;property1;property2,key2=value2,key3=value3;propertyKey=propertyValue"),
    incoming("W3C Baggage, 3.4, example", &[("baggage", "userId=alice,serverNode=DF%2028,isProduction=false")], "userId=alice,serverNode=DF%2028,isProduction=false"),
    incoming("W3C Baggage, 3.4, example over two lines", &[("baggage", "userId=alice"), ("baggage", "serverNode=DF%2028,isProduction=false")], "userId=alice,serverNode=DF%2028,isProduction=false"),
    incoming("W3C Baggage, 3.4, example with UTF-8", &[("baggage", "userId=Am%C3%A9lie,serverNode=DF%2028")], "userId=Am%C3%A9lie,serverNode=DF%2028"),
    incoming("w3c/baggage test_baggage.py, test_parse_simple", &[("Baggage", "SomeKey=SomeValue")], "SomeKey=SomeValue"),
    incoming("w3c/baggage test_baggage.py, test_parse_multiple", &[("baggage", "SomeKey=SomeValue;SomeProp,SomeKey2=SomeValue2;ValueProp=PropVal")], "SomeKey=SomeValue;SomeProp,SomeKey2=SomeValue2;ValueProp=PropVal"),
    incoming("w3c/baggage test_baggage.py, test_parse_multiple_ows", &[("baggage", "SomeKey \t = \t SomeValue \t ; \t SomeProp \t , \t SomeKey2 \t = \t SomeValue2")], "SomeKey=SomeValue;SomeProp,SomeKey2=SomeValue2"),
    incoming("w3c/baggage test_baggage.py, test_parse_multiple_equals", &[("baggage", "SomeKey=SomeValue=equals")], "SomeKey=SomeValue=equals"),
    incoming("w3c/baggage test_baggage.py, test_parse_percent_encoded", &[("baggage", "SomeKey=%09%20%22%27%3B%3Dasdf%21%40%23%24%25%5E%26%2A%28%29")], "SomeKey=%09%20%22'%3B=asdf!@#$%25^&*()"),
    incoming("OTel Rust: cut at the second equal sign", &[("baggage", "a=b=c")], "a=b=c"),
    incoming("OTel Python: a percent sign that begins nothing", &[("baggage", "a=%zz")], "a=%25zz"),
    incoming("W3C Baggage, 3.3.1.3: invalid UTF-8 is replaced", &[("baggage", "a=%ff")], "a=%EF%BF%BD"),
    incoming("OTel Python: properties were lost", &[("baggage", "a=1;p=2;q")], "a=1;p=2;q"),
    incoming("our own, a line feed stays encoded", &[("baggage", "a=%0d%0aSet-Cookie:x")], "a=%0D%0ASet-Cookie:x"),
    incoming("our own, a line feed is no member", &[("baggage", "a=1\r\nx-evil: 1,b=2")], "b=2"),
    incoming("our own, a plus is a plus", &[("baggage", "a=1+1")], "a=1+1"),
    incoming("our own, empty value", &[("baggage", "a=,b=;p")], "a=,b=;p"),
    incoming("our own, empty members", &[("baggage", ",, a=1 ,,"), ("baggage", ""), ("baggage", ",b=2")], "a=1,b=2"),
    incoming("our own, no key", &[("baggage", "=1,b=2")], "b=2"),
    incoming("our own, no equal sign", &[("baggage", "a,b=2,;p=1")], "b=2"),
    incoming("our own, a key that is no token", &[("baggage", "a b=1,(a)=1,\"a\"=1,b=2")], "b=2"),
    incoming("our own, a value that is none", &[("baggage", "a=\"1\",b=2 3,c=\\,d=4")], "d=4"),
    incoming("our own, a property that is none", &[("baggage", "a=1;p p,b=2;q=\"1\",c=3")], "c=3"),
    incoming("our own, bytes beyond ASCII", &[("baggage", "a=\u{e9},b=2")], "b=2"),
    incoming("our own, equal keys: the last value in the first place", &[("baggage", "a=1;p,b=2,a=3")], "a=3,b=2"),
    incoming("our own, keys differ by case", &[("baggage", "a=1,A=2")], "a=1,A=2"),
    incoming("our own, keys are not decoded", &[("baggage", "a%20b=1")], "a%20b=1"),
    incoming("our own, nothing", &[("baggage", " , ")], "none"),
    incoming("our own, no header", &[], "none"),
];
