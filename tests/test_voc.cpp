// Annotation files in XML, and Pascal VOC's folders on a small tree.
#include "acol/data/voc.h"

#include <doctest/doctest.h>

#include "acol/data/voc_xml.h"
#include "tests/tree.h"

using namespace acol;
using namespace acol::testing;
namespace fs = std::filesystem;

namespace {

void make_tree(const Tree& tree) {
  tree.files({"JPEGImages/a.jpg", "JPEGImages/b.PNG", "JPEGImages/c.jpeg", "JPEGImages/e.jpg"});
  tree.file("Annotations/a.xml", xml(xml_size(100, 50), {{"dog", "1", "1", "100", "50"}}));
  tree.file("Annotations/b.xml", xml(xml_size(100, 50), {{"dog", "2", "3", "4", "5"},
                                                         {"cat", "48.5", "9.2", "120.0", "20"},
                                                         {"dog", "10", "10", "20", "20"},
                                                         {"dog", "30", "10", "30", "20"}}));
  tree.file("Annotations/c.xml", xml(xml_size(10, 10), {}));
  tree.file("Annotations/d.xml", xml(xml_size(10, 10), {{"ape", "1", "1", "2", "2"}}));  // no picture
  tree.file("Annotations/e.xml", xml("", {{"cat", "0", "1", "2000", "7"}}));             // no size
  tree.file("ImageSets/Main/train.txt", "e\nb  1\r\n\n a\n");
  tree.file("ImageSets/Main/val.txt", "c\na\n");
  tree.file("ImageSets/Main/dog_train.txt", "a  1\n");
}

std::string why(const Tree& tree, const std::string& split) {
  return error_of([&] { open_voc(tree.root(), split); });
}

}  // namespace

TEST_CASE("annotation files: ILSVRC counts from 0, Pascal VOC from 1") {
  const Tree tree;
  tree.file("n1_2.xml", xml(xml_size(500, 375), {{"n02099601", "0", "10", "499", "374"},
                                                 {"Scottish_deerhound", " 7 ", "8", "7", "3"},
                                                 {"x", "-2", "1.49", "2.5", "1e3"}}));
  const VocAnnotation zero = read_voc_xml(tree.root() / "n1_2.xml", 0);
  CHECK(zero.name == "n1_2");  // its <filename> is "%s"
  CHECK((zero.width == 500 && zero.height == 375));
  REQUIRE(zero.objects.size() == 3);
  CHECK(zero.objects[0].name == "n02099601");
  CHECK(zero.objects[0].box == Box{0, 10, 499, 374});
  CHECK(zero.objects[1].name == "Scottish_deerhound");
  CHECK(zero.objects[1].box == Box{7, 8, 7, 3});  // as written
  CHECK(zero.objects[2].box == Box{-2, 1, 3, 1000});
  CHECK(read_voc_xml(tree.root() / "n1_2.xml", 1).objects[0].box == Box{-1, 9, 498, 373});

  for (const char* size :
       {"", "<size/>", "<size><width>0</width><height>-3</height></size>", "<size><width>x</width><height/></size>"}) {
    tree.file("s.xml", xml(size, {}));
    const VocAnnotation none = read_voc_xml(tree.root() / "s.xml", 0);
    CHECK((none.width == 0 && none.height == 0 && none.objects.empty()));
  }
  // Parts have boxes too; an object may have several.
  const std::string box = "<bndbox><ymin>2</ymin><xmax>3</xmax><xmin>1</xmin><ymax>4</ymax></bndbox>";
  tree.file("p.xml", "<?xml version=\"1.0\"?><annotation><object><part><name>head</name>" + box + "</part>" + box +
                         "<name>man</name>" + box + "</object></annotation>");
  const VocAnnotation parts = read_voc_xml(tree.root() / "p.xml", 0);
  REQUIRE(parts.objects.size() == 2);
  CHECK(parts.objects[1].name == "man");
  CHECK(parts.objects[1].box == Box{1, 2, 3, 4});
  CHECK(annotations_in(tree.root()) == Strings{"n1_2", "p", "s"});
  CHECK(annotations_in(tree.root() / "nowhere").empty());
}

TEST_CASE("annotation files: what is refused, with the path") {
  const Tree tree;
  const std::string path = (tree.root() / "a.xml").string();
  const auto why_xml = [&](const std::string& text) {
    tree.file("a.xml", text);
    const std::string message = error_of([&] { read_voc_xml(path, 0); });
    CHECK(message.starts_with(path) == !message.empty());
    return message;
  };
  const std::string good = xml(xml_size(5, 5), {{"a", "1", "2", "3", "4"}});
  CHECK(why_xml(good).empty());
  // A download that broke off, wherever.
  for (std::size_t cut = 0; cut + 15 < good.size(); cut += 7) CHECK_FALSE(why_xml(good.substr(0, cut)).empty());
  CHECK(contains(why_xml(good.substr(0, good.find("<pose>") + 3)), "line 11: not XML"));
  CHECK(contains(why_xml("<html></html>"), "expected <annotation>, got <html>"));
  CHECK(contains(why_xml("\x89PNG\r\n\x1a\n"), "not XML"));
  for (const char* bad : {"", "x", "1,5", "nan", "inf", "1e9", "-1e9", "3\n4"}) {
    const std::string message = why_xml(xml("", {{"a", "1", "2", bad, "4"}}));
    INFO(message);
    CHECK(contains(message, "object 1: expected a number in <xmax>"));
  }
  CHECK(contains(why_xml("<annotation><object><name>a</name></object></annotation>"), "object 1 (a) has no <bndbox>"));
  CHECK(contains(why_xml(xml("", {{"", "1", "2", "3", "4"}})), "object 1: expected a name"));
  CHECK(contains(why_xml(xml("", {{"\xe4", "1", "2", "3", "4"}})), "object 1: expected a name in UTF-8"));
  fs::remove(path);
  CHECK(contains(error_of([&] { read_voc_xml(path, 0); }), path));
}

TEST_CASE("Pascal VOC: splits, labels, boxes from 0, one sample a class") {
  const Tree tree;
  make_tree(tree);
  REQUIRE(is_voc_layout(tree.root()));
  CHECK_FALSE(is_voc_layout(tree.root() / "JPEGImages"));
  const Dataset train = open_voc(tree.root(), "train");
  CHECK(train.layout == "voc");
  CHECK(train.class_ids == Strings{"ape", "cat", "dog"});
  CHECK(ids(train) == Strings{"JPEGImages/e.jpg=1", "JPEGImages/b.PNG=1", "JPEGImages/b.PNG=2", "JPEGImages/a.jpg=2"});
  CHECK(fs::exists(train.path(train.samples[0])));
  CHECK(train.samples[0].boxes == Boxes{{0, 0, 1999, 6}});  // -1 was cut; the right side is not known
  CHECK(train.samples[1].boxes == Boxes{{48, 8, 99, 19}});  // cut to the picture
  CHECK(train.samples[2].boxes == Boxes{{1, 2, 3, 4}, {9, 9, 19, 19}});
  CHECK(train.samples[3].boxes == Boxes{{0, 0, 99, 49}});
  CHECK((train.samples[3].width == 100 && train.samples[3].height == 50));
  CHECK(train.samples[0].width == 0);
  CHECK(notes_with(train, "1 degenerate box dropped") == 1);
  CHECK(notes_with(train, "2 boxes reach outside") == 1);
  CHECK(notes_with(train, "1 picture shows objects of several classes") == 1);
  CHECK(train.notes.size() == 3);

  const Dataset val = open_voc(tree.root(), "val");
  CHECK(ids(val) == Strings{"JPEGImages/a.jpg=2"});
  CHECK(notes_with(val, "1 picture has no object") == 1);
  const Dataset all = open_voc(tree.root(), "all");
  CHECK(ids(all) == Strings{"JPEGImages/a.jpg=2", "JPEGImages/b.PNG=1", "JPEGImages/b.PNG=2", "JPEGImages/e.jpg=1"});
  CHECK(notes_with(all, "1 XML file has no picture") == 1);

  tree.file("classes.txt", "dog\r\ncat\nape\n");
  CHECK(open_voc(tree.root(), "val").class_ids == Strings{"dog", "cat", "ape"});
  CHECK(ids(open_voc(tree.root(), "val")) == Strings{"JPEGImages/a.jpg=0"});
  fs::remove_all(tree.root() / "ImageSets");
  CHECK(open_voc(tree.root(), "train").samples.size() == 4);
}

TEST_CASE("Pascal VOC: what is refused") {
  const Tree tree;
  make_tree(tree);
  CHECK(contains(why(tree, "test"), "no split \"test\""));
  const auto with = [&](const std::string& file, const std::string& text) {
    return tree.with(file, text, [&] { return why(tree, "train"); });
  };
  CHECK(contains(with("ImageSets/Main/train.txt", "a\n\nz\n"), "train.txt line 3: there is no Annotations/z.xml"));
  CHECK(contains(with("ImageSets/Main/train.txt", "a\na 1\n"), "train.txt line 2: a occurs twice"));
  CHECK(contains(with("ImageSets/Main/train.txt", "\n"), "train.txt: names no picture"));
  CHECK(contains(with("ImageSets/Main/train.txt", "c\n"), "no picture with an object in split \"train\""));
  CHECK(contains(with("classes.txt", "dog\ncat\ndog\n"), "classes.txt line 3: class dog occurs twice"));
  CHECK(contains(with("classes.txt", "dog\n\xe4\n"), "classes.txt line 2: the name is not UTF-8"));
  CHECK(contains(with("classes.txt", "\n"), "classes.txt: names no class"));
  CHECK(contains(with("classes.txt", "dog\n"), "e.xml: class \"cat\" is not in classes.txt"));
  CHECK(contains(with("Annotations/b.xml", "<annotation>"), "Annotations/b.xml line 1: not XML"));
  CHECK(why(tree, "train").empty());
  fs::remove_all(tree.root() / "Annotations");
  fs::create_directories(tree.root() / "Annotations");
  CHECK(contains(why(tree, "train"), "no XML files"));
}
