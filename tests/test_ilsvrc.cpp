// ILSVRC CLS-LOC on small trees in each of the forms in which it lies about.
#include "acol/data/ilsvrc.h"

#include <doctest/doctest.h>

#include "acol/data/ilsvrc_lists.h"
#include "tests/tree.h"

using namespace acol;
using namespace acol::testing;
namespace fs = std::filesystem;

namespace {

const std::string header = "ImageId,PredictionString\n";

// As Kaggle's archive unpacks: two classes, three train pictures (one without a box), three of val.
void make_kaggle(const Tree& tree) {
  tree.file("LOC_synset_mapping.txt", "n01440764 tench, Tinca tinca\nn02119789 kit fox, Vulpes macrotis\n");
  const std::string data = "ILSVRC/Data/CLS-LOC/", xmls = "ILSVRC/Annotations/CLS-LOC/";
  for (const char* name :
       {"train/n02119789/n02119789_7.JPEG", "train/n01440764/n01440764_10.JPEG", "train/n01440764/n01440764_2.JPEG",
        "val/ILSVRC2012_val_00000003.JPEG", "val/ILSVRC2012_val_00000001.JPEG", "val/ILSVRC2012_val_00000002.JPEG",
        "test/ILSVRC2012_test_00000001.JPEG"})
    tree.file(data + name);
  const std::string size = xml_size(500, 375);
  tree.file(xmls + "train/n01440764/n01440764_10.xml",
            xml(size, {{"n01440764", "0", "10", "499", "374"}, {"tench", "5", "6", "7", "8"}}));
  tree.file(xmls + "train/n02119789/n02119789_7.xml",
            xml(size, {{"n02119789", "9", "10", "9", "20"}, {"n01440764", "1", "2", "3", "4"}}));
  tree.file(xmls + "train/n02119789/n02119789_8.xml", xml(size, {}));  // no such picture
  tree.file(xmls + "val/ILSVRC2012_val_00000001.xml", xml(size, {{"n02119789", "1", "2", "3", "4"}}));
  tree.file(xmls + "val/ILSVRC2012_val_00000002.xml", xml(size, {{"n01440764", "5", "6", "7", "8"}}));
  tree.file(xmls + "val/ILSVRC2012_val_00000003.xml",
            xml(size, {{"n01440764", "0", "0", "9", "9"}, {"n01440764", "20", "20", "29", "29"}}));
}

void make_csv(const Tree& tree) {
  tree.file("LOC_train_solution.csv", header +
                                          "n01440764_10,n01440764 1 11 400 374 n01440764 5 6 7 8 \n"
                                          "n02119789_7,n02119789 9 10 30 20 \r\nn02119789_8,n02119789 1 2 3 4 \n");
  tree.file("LOC_val_solution.csv", header +
                                        "ILSVRC2012_val_00000003,n01440764 0 0 9 9 n01440764 20 20 29 29 \n"
                                        "ILSVRC2012_val_00000001,n02119789 1 2 3 4 \n"
                                        "ILSVRC2012_val_00000002,n01440764 5 6 7 8");
}

// Pictures as the archives of image-net.org unpack, without any list.
void make_flat(const Tree& tree) {
  tree.files({"train/n02119789/n02119789_7.JPEG", "train/n01440764/n01440764_10.JPEG",
              "val/ILSVRC2012_val_00000002.JPEG", "val/ILSVRC2012_val_00000001.JPEG"});
}

std::string why(const Tree& tree, const std::string& split) {
  return error_of([&] { open_ilsvrc(tree.root(), split); });
}

const Strings val_ids{"val/ILSVRC2012_val_00000001.JPEG=1", "val/ILSVRC2012_val_00000002.JPEG=0",
                      "val/ILSVRC2012_val_00000003.JPEG=0"};

}  // namespace

TEST_CASE("ILSVRC: Kaggle's tree with XML files") {
  const Tree tree;
  make_kaggle(tree);
  REQUIRE(is_ilsvrc_layout(tree.root()));
  const Dataset train = open_ilsvrc(tree.root(), "train");
  CHECK(train.layout == "ilsvrc");
  CHECK(train.class_ids == Strings{"n01440764", "n02119789"});
  CHECK(train.class_names == Strings{"tench", "kit fox"});
  CHECK(ids(train) == Strings{"train/n01440764/n01440764_10.JPEG=0", "train/n01440764/n01440764_2.JPEG=0",
                              "train/n02119789/n02119789_7.JPEG=1"});
  CHECK(fs::exists(train.path(train.samples[0])));
  CHECK(train.samples[0].boxes == Boxes{{0, 10, 499, 374}, {5, 6, 7, 8}});  // from 0; "tench" is the class's own
  CHECK((train.samples[0].width == 500 && train.samples[0].height == 375));
  CHECK(train.samples[1].boxes.empty());
  CHECK(train.samples[1].width == 0);
  CHECK(train.samples[2].boxes.empty());
  CHECK(notes_with(train, "1 degenerate box dropped") == 1);
  CHECK(notes_with(train, "1 box of another class than the picture's dropped") == 1);
  CHECK(notes_with(train, "1 annotation names a picture that is not there") == 1);
  CHECK(train.notes.size() == 3);

  const Dataset val = open_ilsvrc(tree.root(), "val");
  CHECK(ids(val) == val_ids);
  CHECK(val.samples[0].boxes == Boxes{{1, 2, 3, 4}});
  CHECK(val.samples[2].boxes == Boxes{{0, 0, 9, 9}, {20, 20, 29, 29}});
  CHECK(val.samples[2].width == 500);
  CHECK(notes_with(val, "no ILSVRC20xx_clsloc_validation_blacklist.txt") == 1);
  CHECK(val.notes.size() == 1);
  const Dataset all = open_ilsvrc(tree.root(), "all");
  CHECK(all.samples.size() == 6);
  CHECK(ids(all)[3] == val_ids[0]);
}

TEST_CASE("ILSVRC: the same tree from each of its folders") {
  const Tree tree;
  make_kaggle(tree);
  make_csv(tree);
  for (const char* root : {"", "ILSVRC", "ILSVRC/", "ILSVRC/Data", "ILSVRC/Data/CLS-LOC", "ILSVRC/Data/CLS-LOC/"}) {
    INFO(root);
    REQUIRE(is_ilsvrc_layout(tree.root() / root));
    const Dataset val = open_ilsvrc(tree.root() / root, "val");
    CHECK(ids(val) == val_ids);
    CHECK(val.class_names[0] == "tench");  // from a list above the root
    CHECK(fs::exists(val.path(val.samples[0])));
    CHECK(val.samples[0].width == 0);  // from the CSV, not from the XML file
    CHECK(open_ilsvrc(tree.root() / root, "train").samples[0].boxes == Boxes{{1, 11, 400, 374}, {5, 6, 7, 8}});
  }
  CHECK_FALSE(is_ilsvrc_layout(tree.root() / "ILSVRC/Data/CLS-LOC/train"));
}

TEST_CASE("ILSVRC: boxes from the CSV files") {
  const Tree tree;
  make_kaggle(tree);
  make_csv(tree);
  fs::remove_all(tree.root() / "ILSVRC/Annotations");
  const Dataset train = open_ilsvrc(tree.root(), "train");
  CHECK(train.samples[0].boxes == Boxes{{1, 11, 400, 374}, {5, 6, 7, 8}});
  CHECK(train.samples[1].boxes.empty());
  CHECK(train.samples[2].boxes == Boxes{{9, 10, 30, 20}});
  CHECK(notes_with(train, "1 annotation names a picture") == 1);
  const Dataset val = open_ilsvrc(tree.root(), "val");
  CHECK(ids(val) == val_ids);
  CHECK(val.samples[2].boxes == Boxes{{0, 0, 9, 9}, {20, 20, 29, 29}});

  tree.file("LOC_val_solution.csv", header + "ILSVRC2012_val_00000002,n01440764 -3 6 7 8 n02119789 1 1 2 2\n");
  const Dataset few = open_ilsvrc(tree.root(), "val");
  CHECK(ids(few) == Strings{val_ids[1]});
  CHECK(few.samples[0].boxes == Boxes{{0, 6, 7, 8}});
  CHECK(notes_with(few, "1 box reaches outside its picture") == 1);
  CHECK(notes_with(few, "1 box of another class") == 1);
  CHECK(notes_with(few, "2 pictures of val without a known class left out") == 1);

  // The lists alone are enough to score maps.
  make_csv(tree);
  fs::remove_all(tree.root() / "ILSVRC");
  REQUIRE(is_ilsvrc_layout(tree.root()));
  const Dataset lists = open_ilsvrc(tree.root(), "val");
  CHECK(ids(lists) == val_ids);
  CHECK(notes_with(lists, "val is missing") == 1);
  CHECK(contains(why(tree, "train"), "no pictures in train/"));
}

TEST_CASE("ILSVRC: unpacked archives; classes from the folders, labels of val from any list") {
  const Tree tree;
  make_flat(tree);
  REQUIRE(is_ilsvrc_layout(tree.root()));
  const Dataset train = open_ilsvrc(tree.root(), "train");
  CHECK(ids(train) == Strings{"train/n01440764/n01440764_10.JPEG=0", "train/n02119789/n02119789_7.JPEG=1"});
  CHECK(train.class_names == train.class_ids);
  CHECK(notes_with(train, "no LOC_synset_mapping.txt: the 2 classes are those of the folders of train/") == 1);
  CHECK(notes_with(train, "no boxes for train") == 1);
  CHECK(contains(why(tree, "val"), "nothing tells the classes"));

  const Strings expected{val_ids[0], val_ids[1]};
  const auto ids_with = [&](const std::string& file, const std::string& text) {
    return tree.with(file, text, [&] { return ids(open_ilsvrc(tree.root(), "val")); });
  };
  CHECK(ids_with("val.txt", "ILSVRC2012_val_00000001.JPEG 1\nILSVRC2012_val_00000002.JPEG 0\n") == expected);
  CHECK(ids_with("val/val_labels.txt",
                 "ILSVRC2012_val_00000002.JPEG,n01440764\nval/ILSVRC2012_val_00000001,n02119789") == expected);
  CHECK(ids_with("imagenet_2012_validation_synset_labels.txt", "n02119789\nn01440764\nn01440764\n") == expected);
  tree.file("devkit/data/map_clsloc.txt", "n02119789 1 kit_fox\nn01440764 449 tench\n");
  CHECK(ids_with("devkit/data/ILSVRC2015_clsloc_validation_ground_truth.txt", "1\n449\n449\n") == expected);
  CHECK(open_ilsvrc(tree.root(), "train").class_names == Strings{"tench", "kit fox"});

  // XML files as the bounding box archives unpack, or beside the pictures.
  for (const char* folder : {"bbox/val/", "Annotations/val/", "val/"}) {
    INFO(folder);
    const std::string one = std::string(folder) + "ILSVRC2012_val_00000001.xml";
    tree.file(one, xml(xml_size(50, 40), {{"n02119789", "0", "2", "49", "39"}}));
    const Dataset val = open_ilsvrc(tree.root(), "val");
    CHECK(ids(val) == Strings{expected[0]});
    CHECK(val.samples[0].boxes == Boxes{{0, 2, 49, 39}});
    CHECK(val.samples[0].height == 40);
    fs::remove(tree.root() / one);
  }
}

TEST_CASE("ILSVRC: val in folders by class, val alone") {
  const Tree tree;
  tree.files({"val/n02119789/ILSVRC2012_val_00000001.JPEG", "val/n01440764/ILSVRC2012_val_00000002.JPEG"});
  REQUIRE(is_ilsvrc_layout(tree.root()));
  const Dataset val = open_ilsvrc(tree.root(), "val");
  CHECK(ids(val) ==
        Strings{"val/n01440764/ILSVRC2012_val_00000002.JPEG=0", "val/n02119789/ILSVRC2012_val_00000001.JPEG=1"});
  CHECK(notes_with(val, "no boxes for val") == 1);
  tree.file("LOC_val_solution.csv", header + "ILSVRC2012_val_00000001,n02119789 1 2 3 4\n");
  CHECK(open_ilsvrc(tree.root(), "val").samples[1].boxes == Boxes{{1, 2, 3, 4}});
  fs::remove(tree.root() / "LOC_val_solution.csv");
  tree.file("val/boxes.csv", "");  // then it is a set of the plain layout
  CHECK_FALSE(is_ilsvrc_layout(tree.root()));

  const Tree flat;  // classes from the boxes
  flat.file("val/ILSVRC2012_val_00000001.JPEG");
  flat.file("LOC_val_solution.csv", header + "ILSVRC2012_val_00000001,n02119789 1 2 3 4\n");
  const Dataset alone = open_ilsvrc(flat.root(), "val");
  CHECK(alone.class_ids == Strings{"n02119789"});
  CHECK(notes_with(alone, "the 1 class is that of the boxes of val") == 1);
}

TEST_CASE("ILSVRC: the blacklist") {
  const Tree tree;
  make_kaggle(tree);
  for (const char* file :
       {"ILSVRC2014_clsloc_validation_blacklist.txt", "devkit/data/ILSVRC2015_clsloc_validation_blacklist.txt",
        "ILSVRC2014_devkit/data/ILSVRC2014_clsloc_validation_blacklist.txt"}) {
    INFO(file);
    const Dataset val = tree.with(file, "36\n2\r\n50000\n", [&] { return open_ilsvrc(tree.root(), "val"); });
    CHECK((!val.samples[0].blacklisted && val.samples[1].blacklisted && !val.samples[2].blacklisted));
    CHECK(notes_with(val, "1 picture is left out of the official localization error") == 1);
  }
  for (const char* bad : {"0", "50001", "x", "1 2", "-1"}) {
    const std::string message = tree.with("ILSVRC2014_clsloc_validation_blacklist.txt", std::string("7\n") + bad + "\n",
                                          [&] { return why(tree, "val"); });
    CHECK(contains(message, "blacklist.txt line 2: expected the number"));
  }
  CHECK(contains(tree.with("ILSVRC2014_clsloc_validation_blacklist.txt", "7\n7\n", [&] { return why(tree, "val"); }),
                 "line 2: 7 occurs twice"));
}

TEST_CASE("ILSVRC: classes of the mapping keep their numbers") {
  const Tree tree;
  make_flat(tree);
  // Not sorted, as the development kit is not.
  tree.file("LOC_synset_mapping.txt", "n02119789 kit fox\nn09999999 last\nn01440764 tench\nn01443537 goldfish\n");
  const Dataset train = open_ilsvrc(tree.root(), "train");
  CHECK(train.class_ids == Strings{"n01440764", "n01443537", "n02119789", "n09999999"});
  CHECK(ids(train) == Strings{"train/n01440764/n01440764_10.JPEG=0", "train/n02119789/n02119789_7.JPEG=2"});
  CHECK(notes_with(train, "2 classes have no pictures in train/, the first is n01443537") == 1);
  tree.file("train/n00000001/a.JPEG");
  CHECK(contains(why(tree, "train"), "train/n00000001 is not among the 4 classes"));
  fs::remove_all(tree.root() / "train/n00000001");
  tree.file("train/lost+found/a.JPEG");  // no WNID: no class
  CHECK(why(tree, "train").empty());
}

TEST_CASE("ILSVRC: damaged lists are named with their line") {
  const Tree tree;
  make_kaggle(tree);
  make_csv(tree);
  CHECK(contains(why(tree, "test"), "no labels"));
  CHECK(contains(why(tree, "other"), "not \"other\""));
  const auto with = [&](const std::string& file, const std::string& text, const std::string& split) {
    return tree.with(file, text, [&] { return why(tree, split); });
  };
  CHECK(
      contains(with("LOC_synset_mapping.txt", "n01440764 a\nn0144 b\n", "val"), "LOC_synset_mapping.txt line 2: exp"));
  CHECK(
      contains(with("LOC_synset_mapping.txt", "n01440764 a\nn01440764 b\n", "val"), "line 2: n01440764 occurs twice"));
  CHECK(contains(with("LOC_synset_mapping.txt", "n01440764 \xe4\n", "val"),
                 "line 1: the name of n01440764 is not UTF-8"));
  CHECK(contains(with("LOC_synset_mapping.txt", "\n", "val"), "names no class"));
  for (const char* bad : {"n01440764_10", "n01440764_10,", ",n01440764 1 2 3 4", "n01440764_10,n01440764 1 2 3",
                          "n01440764_10,n01440764 1 2 3 4 5", "n01440764_10,n01440764 1 2 3 x",
                          "n01440764_10,n01440764 1 2 3 4.5", "n01440764_10,tench 1 2 3 4",
                          "n01440764_10,n01440764 1 2 3 4 n02119789", "n01440764_10,n01440764 1 2 3 9999999"}) {
    INFO(bad);
    const std::string message = with("LOC_train_solution.csv", header + "\n" + bad + "\n", "train");
    INFO(message);
    CHECK(contains(message, "LOC_train_solution.csv line 3: expected an image"));
  }
  CHECK(contains(with("LOC_val_solution.csv", "ILSVRC2012_val_00000001,n02119789 1 2 3 4\n", "val"),
                 "LOC_val_solution.csv line 1: expected the header"));
  CHECK(contains(with("LOC_val_solution.csv", "", "val"), "LOC_val_solution.csv: the file is empty"));
  const std::string line = "ILSVRC2012_val_00000001,n02119789 1 2 3 4\n";
  CHECK(contains(with("LOC_val_solution.csv", header + line + line, "val"),
                 "LOC_val_solution.csv line 3: ILSVRC2012_val_00000001 occurs twice"));
  CHECK(contains(with("LOC_val_solution.csv", header + "ILSVRC2012_val_00000001,n09999999 1 2 3 4\n", "val"),
                 "no picture of val/ has a known class"));
  fs::remove(tree.root() / "LOC_val_solution.csv");
  CHECK(contains(with("ILSVRC/Annotations/CLS-LOC/val/ILSVRC2012_val_00000002.xml", "<annotation>\n", "val"),
                 "ILSVRC2012_val_00000002.xml line 1: not XML"));
}

TEST_CASE("ILSVRC: lists of labels") {
  const Tree tree;
  const std::map<std::string, Synset> synsets{{"n01440764", {"tench", 449}}, {"n02119789", {"kit fox", 1}}};
  const auto why_list = [&](const std::string& name, const std::string& text, const auto& known) {
    tree.file(name, text);
    const std::string message = error_of([&] { read_validation_labels(tree.root() / name, known); });
    INFO(message);
    CHECK(contains(message, name));
    return message;
  };
  CHECK(contains(why_list("val.txt", "a.JPEG 0\nb.JPEG 2\n", synsets), "line 2: expected a picture and its class"));
  CHECK(contains(why_list("val.txt", "a.JPEG -1\n", synsets), "line 1: expected a picture and its class"));
  CHECK(contains(why_list("val.txt", "0\n", synsets), "line 1: expected a picture and its class"));
  CHECK(contains(why_list("val.txt", "a.JPEG 0\na.JPEG 1\n", synsets), "line 2: a occurs twice"));
  CHECK(contains(why_list("imagenet_2012_validation_synset_labels.txt", "n01440764\nn1\n", synsets),
                 "line 2: expected a WordNet id, got \"n1\""));
  CHECK(contains(why_list("ILSVRC2012_validation_ground_truth.txt", "449\n2\n", synsets),
                 "line 2: expected an ILSVRC id"));
  CHECK(contains(why_list("ILSVRC2012_validation_ground_truth.txt", "449\n", std::map<std::string, Synset>{}),
                 "map_clsloc.txt that tells"));
  const auto why_map = [&](const std::string& text) {
    tree.file("map_clsloc.txt", text);
    return error_of([&] { read_map_clsloc(tree.root() / "map_clsloc.txt"); });
  };
  CHECK(contains(why_map("n02119789 1 kit_fox\nn01440764 tench\n"),
                 "map_clsloc.txt line 2: expected `WNID number name`"));
  CHECK(contains(why_map("n02119789 1 kit_fox\nn01440764 1 tench\n"), "map_clsloc.txt line 2: number 1 occurs twice"));
  CHECK(contains(why_map(""), "map_clsloc.txt: names no class"));

  CHECK(validation_number("ILSVRC2012_val_00000293") == 293);
  for (const char* name :
       {"ILSVRC2012_val_", "ILSVRC2012_val_12a", "ILSVRC2012_test_00000293", "", "ILSVRC2012_val_-4"})
    CHECK(validation_number(name) == 0);
  CHECK((is_wnid("n01440764") && !is_wnid("n0144076") && !is_wnid("x01440764") && !is_wnid("n0144076x")));
}
