// The restricted reader of pickles, on bytes put together by hand: what weights need is read, everything else is
// refused in one line, and no claim of a pickle costs memory.
#include <doctest/doctest.h>
#include <sys/resource.h>

#include <algorithm>
#include <string>

#include "acol/weights/pickle.h"
#include "tensor/check.h"

using namespace acol;
using Kind = PickleValue::Kind;

namespace {

std::string number(std::uint64_t value, int bytes) {
  std::string text;
  for (int i = 0; i < bytes; ++i) text += static_cast<char>(value >> (8 * i));
  return text;
}

std::string text(const std::string& content) { return "X" + number(content.size(), 4) + content; }
std::string global(const std::string& module, const std::string& name) { return "c" + module + "\n" + name + "\n"; }
std::string big(std::int64_t value) { return "\x8a\x08" + number(static_cast<std::uint64_t>(value), 8); }
std::string whole(int value) { return "J" + number(static_cast<std::uint32_t>(value), 4); }

std::string storage(const std::string& key, const std::string& count, const std::string& type = "FloatStorage",
                    const std::string& view = "") {
  return "(" + text("storage") + global("torch", type) + text(key) + text("cpu") + count + view + "tQ";
}
// The arguments behind the storage, each as instructions.
std::string tensor(const std::string& of, const std::string& offset, const std::string& shape,
                   const std::string& strides) {
  return global("torch._utils", "_rebuild_tensor_v2") + "(" + of + offset + "(" + shape + "t(" + strides + "t\x89" +
         global("collections", "OrderedDict") + ")RtR";
}
// {"w": a 2 x 3 tensor at offset 1 of storage "0"}
std::string state_dict() {
  return "\x80\x02" + global("collections", "OrderedDict") + ")R(" + text("w") +
         tensor(storage("0", whole(7)), whole(1), whole(2) + whole(3), whole(3) + whole(1)) + "u.";
}

// The Error of reading it: one line that opens with the file's name. Empty if there is none.
std::string refusal(const std::string& bytes, const PickleLimits& limits = {}) {
  PickleInput in(bytes);
  try {
    const Pickle pickle(in, "weights.pth", limits);
  } catch (const Error& error) {
    const std::string line = error.what();
    CHECK_MESSAGE(line.starts_with("weights.pth: the pickle "), line);
    CHECK_MESSAGE(std::all_of(line.begin(), line.end(), [](char c) { return c >= 32 || c < 0; }), line);
    CHECK(line.size() < 400);
    return line;
  }
  return "";
}

void check_refused(const std::string& bytes, const std::string& part) {
  const std::string line = refusal(bytes);
  CHECK_MESSAGE(line.find(part) != std::string::npos, "wanted: ", part, "; got: ", line);
}

std::int64_t peak_kib() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return usage.ru_maxrss;
}

}  // namespace

TEST_CASE("a state dict: names, storages, shapes") {
  const std::string bytes = state_dict() + "behind";
  PickleInput in(bytes);
  const Pickle pickle(in, "weights.pth");
  CHECK(in.remaining() == 6);
  REQUIRE(pickle.root().kind == Kind::dict);
  const PickleValue* w = pickle.root().find("w");
  REQUIRE(w != nullptr);
  REQUIRE(w->kind == Kind::tensor);
  const PickleTensor& got = w->tensor.front();
  CHECK(got.storage.key == "0");
  CHECK(got.storage.dtype == "F32");
  CHECK(got.storage.count == 7);
  CHECK(got.storage.view == -1);
  CHECK(got.offset == 1);
  CHECK(got.shape == std::vector<std::int64_t>{2, 3});
  CHECK(got.strides == std::vector<std::int64_t>{3, 1});
  CHECK(got.elements() == 6);
  CHECK(pickle.storages().size() == 1);
  CHECK(pickle.root().find("v") == nullptr);
  const std::string repeated = "}(" + text("k") + "K\x01" + text("k") + "K\x02u.", name = "weights.pth";
  PickleInput twice(repeated);
  CHECK(Pickle(twice, name).root().find("k")->integer == 2);  // as in Python
}

TEST_CASE("numbers, texts and containers of all protocols") {
  // A list of every kind of value, put together with the instructions of protocols 0 to 5.
  const std::string bytes =
      std::string("\x80\x05") + "\x95" + number(3, 8) + "](" + "N" + "I01\n" + "I-12\n" + "L34L\n" +
      "J\xff\xff\xff\xff" + "K\xff" + "M\x01\x02" + std::string("\x8a\x00", 2) + "\x8a\x01\x80" +
      std::string("\x8b\x02\x00\x00\x00\x00\x80", 7) + std::string("\x8a\x09") + std::string(9, '\x7f') + "\x88\x89" +
      "F2.5\n" + std::string("G\x3f\xf8\x00\x00\x00\x00\x00\x00", 9) + "S'old'\n" + "Vuni\n" + "U\x02py" +
      "\x8c\x02hi" + "\x8d" + number(1, 8) + "z" +
      "C\x02"
      "by" +
      "\x96" + number(1, 8) + "a" + "K\x01K\x02K\x03\x87" + "K\x01\x85" + "(K\x01l" + "(" + text("k") + "K\x05" + "d" +
      "\x8f(K\x07\x90" + "(K\x08\x91" + "e\x94" + std::string("0h\x00", 3) + ".";
  PickleInput in(bytes);
  const Pickle pickle(in, "weights.pth");
  const auto& items = pickle.root().items;
  REQUIRE(items.size() == 28);
  const auto is_integer = [&](std::size_t i, std::int64_t value) {
    CAPTURE(i);
    CHECK(items[i]->kind == Kind::integer);
    CHECK(items[i]->integer == value);
  };
  CHECK(items[0]->kind == Kind::none);
  CHECK((items[1]->kind == Kind::boolean && items[1]->integer == 1));
  is_integer(2, -12);
  is_integer(3, 34);
  is_integer(4, -1);
  is_integer(5, 255);
  is_integer(6, 513);
  is_integer(7, 0);
  is_integer(8, -128);
  is_integer(9, -32768);
  CHECK(items[10]->kind == Kind::big_integer);
  CHECK(items[10]->text == std::string(9, '\x7f'));
  CHECK((items[11]->kind == Kind::boolean && items[11]->integer == 1));
  CHECK((items[12]->kind == Kind::boolean && items[12]->integer == 0));
  CHECK(items[13]->real == 2.5);
  CHECK(items[14]->real == 1.5);
  std::size_t i = 15;
  for (const char* wanted : {"old", "uni", "py", "hi", "z"}) {
    CHECK(items[i]->kind == Kind::text);
    CHECK(items[i++]->text == wanted);
  }
  CHECK((items[20]->kind == Kind::bytes && items[20]->text == "by"));
  CHECK((items[21]->kind == Kind::bytes && items[21]->text == "a"));
  CHECK((items[22]->kind == Kind::tuple && items[22]->items.size() == 3));
  CHECK((items[23]->kind == Kind::tuple && items[23]->items.size() == 1));
  CHECK((items[24]->kind == Kind::list && items[24]->items.size() == 1));
  CHECK((items[25]->kind == Kind::dict && items[25]->find("k")->integer == 5));
  CHECK((items[26]->kind == Kind::set && items[26]->items.size() == 1));
  CHECK((items[27]->kind == Kind::set && items[27]->items.size() == 1));
}

TEST_CASE("dictionaries as Python 2 and 3 make them, and what is known but of no use") {
  const std::string ordered = global("collections", "OrderedDict");
  const std::string bytes = "(" + ordered + "((](" + text("a") +
                            "K\x01"
                            "e](" +
                            text("b") + "K\x02" + "eltR" +  // pairs
                            global("collections", "defaultdict") + "(" + global("__builtin__", "list") + "tR" +
                            global("collections", "Counter") + "((" + text("c") + "K\x03" + "dtR" +
                            global("argparse", "Namespace") + ")\x81}" + text("lr") + "K\x01sb" +
                            global("torch", "device") + "(" + text("cpu") + "tR" + global("torch", "Size") +
                            "((K\x02K\x03ttR" + global("__builtin__", "set") + "((K\x01ltR" + "t.";
  PickleInput in(bytes);
  const Pickle pickle(in, "weights.pth");
  const auto& items = pickle.root().items;
  REQUIRE(items.size() == 7);
  CHECK((items[0]->find("a") != nullptr && items[0]->find("b") != nullptr));
  CHECK(items[0]->find("b")->integer == 2);
  CHECK((items[1]->kind == Kind::dict && items[1]->items.empty()));
  CHECK(items[2]->find("c")->integer == 3);
  CHECK((items[3]->kind == Kind::other && items[3]->text == "argparse.Namespace"));
  CHECK(items[4]->text == "torch.device");
  CHECK((items[5]->kind == Kind::tuple && items[5]->items.size() == 2));
  CHECK((items[6]->kind == Kind::set && items[6]->items.size() == 1));
}

TEST_CASE("anything else that is asked for is named and refused") {
  const std::string call = "(" + text("touch /tmp/acol-was-here") + "tR.";
  const std::string nothing = "nothing was executed";
  check_refused(global("os", "system") + call, "\"os.system\"");
  check_refused(global("os", "system") + call, nothing);
  check_refused("\x80\x04" + text("os") + text("system") + "\x93" + call, "\"os.system\"");
  check_refused("(S'echo'\nios\nsystem\n.", "\"os.system\"");
  for (const char* name : {"eval", "exec", "getattr", "__import__"})
    check_refused(global("builtins", name) + call, message("\"builtins.", name, "\""));
  check_refused(global("torch.nn.modules.conv", "Conv2d") + ")\x81.", "state_dict()");
  check_refused(global("torch.storage", "_load_from_bytes") + ")R.", "_load_from_bytes");
  check_refused(global("torch._utils", "_rebuild_sparse_tensor") + ")R.", "_rebuild_sparse_tensor");
  // A known name inside another: torch.Size only as itself.
  check_refused(global("torch", "Size.__reduce__") + ")R.", "Size.__reduce__");
  check_refused(global("numpy.dtypes", "x.y") + ")R.", "x.y");
  check_refused(global("torch\nos", "system") + call, "torch.os");
  // Known, but not to be called, or with arguments that are none.
  check_refused(global("torch", "FloatStorage") + "(K\x01tR.", "torch.FloatStorage");
  check_refused(global("builtins", "list") + ")R.", "builtins.list");
  check_refused("K\x01)R.", "no name");
  check_refused(global("collections", "OrderedDict") + "NR.", "no tuple");
  check_refused(global("collections", "OrderedDict") + "(K\x01tR.", "no list");
  check_refused(global("collections", "OrderedDict") + "((K\x01ltR.", "pairs");
  check_refused(global("torch._utils", "_rebuild_parameter") + "(K\x01tR.", "parameter");
  check_refused("K\x01}b.", "attributes");
  // Instructions that torch.save does not write: extension registry, objects from outside, persistent names.
  for (const char* code : {"\x82\x01", "\x83\x01\x01", "\x97", "\x98", "o", "P1\n", "\x92", "?", "\xff"})
    check_refused(std::string("(") + code + ".", "instruction");
  check_refused("\x80\x06N.", "protocol 6");
}

TEST_CASE("tensors that reach beyond their storage, or repeat it") {
  const auto of = [&](const std::string& count, const std::string& offset, const std::string& shape,
                      const std::string& strides) { return tensor(storage("0", count), offset, shape, strides) + "."; };
  const std::string most = big(0x7FFFFFFFFFFFFFFF);
  CHECK(refusal(of(whole(6), whole(0), whole(2) + whole(3), whole(3) + whole(1))) == "");
  CHECK(refusal(of(whole(0), whole(0), whole(0) + whole(3), whole(3) + whole(1))) == "");
  CHECK(refusal(of(whole(6), whole(5), "", "")) == "");
  check_refused(of(whole(6), whole(1), whole(2) + whole(3), whole(3) + whole(1)), "reaches beyond its 6 numbers");
  check_refused(of(whole(6), whole(6), "", ""), "beyond");
  check_refused(of(whole(6), whole(0), whole(2) + whole(3), whole(4) + whole(1)), "beyond");
  check_refused(of(whole(6), most, whole(2), whole(1)), "beyond");
  check_refused(of(whole(6), whole(0), most + most, whole(0) + whole(0)), "beyond");
  check_refused(of(whole(6), whole(0), whole(2), most), "beyond");
  check_refused(of(whole(6), whole(0), big(1LL << 40), whole(0)), "repeats");
  // A product that overflows on its way to zero.
  check_refused(of(whole(6), whole(0), most + most + whole(0), whole(0) + whole(0) + whole(0)), "beyond");
  check_refused(of(most, whole(0), whole(2), whole(1)), "a storage of");
  check_refused(of(whole(-1), whole(0), whole(2), whole(1)), "0 or more");
  check_refused(of(whole(6), whole(-1), whole(2), whole(1)), "offset");
  check_refused(of(whole(6), whole(0), whole(-2), whole(1)), "shape");
  check_refused(of(whole(6), whole(0), whole(2), whole(-1)), "strides");
  check_refused(of(whole(6), whole(0), whole(2), whole(1) + whole(1)), "1 extents and 2 strides");
  check_refused(of("N", whole(0), whole(2), whole(1)), "size of a storage");
  check_refused(tensor("N", whole(0), whole(2), whole(1)) + ".", "storage");
  std::string ones;
  for (int i = 0; i < 9; ++i) ones += whole(1);
  check_refused(of(whole(6), whole(0), ones, ones), "9 extents");
  // Views of legacy files.
  const auto view = [&](int offset, int count, int size) {
    const std::string description = "(" + text("v") + whole(offset) + whole(count) + "t";
    return tensor(storage("0", whole(6), "FloatStorage", description), whole(0), whole(size), whole(1)) + ".";
  };
  CHECK(refusal(view(2, 4, 4)) == "");
  check_refused(view(2, 4, 5), "beyond its 4 numbers");
  check_refused(view(3, 4, 4), "beyond its 6 numbers");
  check_refused(view(7, 0, 0), "beyond its 6 numbers");
  check_refused("(" + storage("0", whole(6)) + storage("0", whole(7)) + "t.", "in another");
  check_refused(storage("0", whole(6), "ComplexFloatStorage") + ".", "ComplexFloatStorage");
  check_refused(storage(std::string(1000, 'k'), whole(6)) + ".", "1000 characters");
  check_refused("(" + text("module") + "tQ.", "state_dict()");
  check_refused("K\x01Q.", "no storage");
}

TEST_CASE("cut off after any byte") {
  const std::string bytes = state_dict();
  CHECK(refusal(bytes) == "");
  for (std::size_t length = 0; length < bytes.size(); ++length) {
    CAPTURE(length);
    CHECK(refusal(bytes.substr(0, length)).find("cut off or damaged") != std::string::npos);
  }
}

TEST_CASE("any byte changed is read or refused, never worse") {
  const std::string bytes = state_dict();
  for (std::size_t at = 0; at < bytes.size(); ++at)
    for (int change = 1; change < 256; ++change) {
      std::string damaged = bytes;
      damaged[at] = static_cast<char>(damaged[at] ^ change);
      PickleInput in(damaged);
      try {
        const Pickle pickle(in, "weights.pth");
      } catch (const Error&) {
      }
    }
}

TEST_CASE("a stack that is misused") {
  const std::string none = "a value that is not there";
  const std::vector<std::pair<std::string, std::string>> cases = {{"0.", none},
                                                                  {".", "0 values instead of one"},
                                                                  {"a.", none},
                                                                  {"]a.", "a list that is not there"},
                                                                  {"(a.", none},
                                                                  {"](K\x01"
                                                                   "0"
                                                                   "a.",
                                                                   none},
                                                                  {"s.", none},
                                                                  {"}K\x01s.", "a dictionary that is not there"},
                                                                  {"u.", "a mark is missing"},
                                                                  {"}(K\x01u.", "a key without a value"},
                                                                  {"e.", "a mark is missing"},
                                                                  {"t.", "a mark is missing"},
                                                                  {"R.", none},
                                                                  {"b.", none},
                                                                  {"2.", none},
                                                                  {"q\x01.", none},
                                                                  {"h\x01.", "the noted value 1"},
                                                                  {"NN.", "2 values instead of one"},
                                                                  {"(N.", "instead of one"},
                                                                  {"\x93.", none},
                                                                  {"\x85.", none},
                                                                  {"1.", "a mark is missing"},
                                                                  {"K\x01(K\x01"
                                                                   "e.",
                                                                   "a list that is not there"},
                                                                  {"N(K\x01"
                                                                   "e.",
                                                                   "a list that is not there"},
                                                                  {"d.", "a mark is missing"},
                                                                  {"}(K\x01"
                                                                   "e.",
                                                                   "a list that is not there"},
                                                                  {"gx\n.", "no number of a note"},
                                                                  {"px\n.", "no number of a note"},
                                                                  {"Ix\n.", "no whole number"},
                                                                  {"Fx\n.", "is no number"},
                                                                  {"S'x\n.", "without quotes"},
                                                                  {"I1 2\n.", "no whole number"}};
  for (const auto& [bytes, part] : cases) check_refused(bytes, part);
  CHECK(refusal("(0N.") == "");  // a mark can be taken off
  CHECK(refusal("N(NN1.") == "");
}

TEST_CASE("depth, counts and lengths that would cost memory or time") {
  const std::int64_t before = peak_kib();
  check_refused(std::string(5000, ']') + std::string(4999, 'a') + ".", "deep");
  check_refused("N" + std::string(5000, '\x85') + ".", "deep");
  check_refused(std::string(2'000'000, '('), "instructions");
  check_refused("N" + std::string(2'000'000, '2'), "instructions");
  check_refused(std::string(2'000'000, ']'), "instructions");
  for (const std::uint64_t length : {std::uint64_t{1} << 31, std::uint64_t{1} << 40, ~std::uint64_t{0}}) {
    check_refused("\x8d" + number(length, 8) + "abc", "are left");
    check_refused("\x8e" + number(length, 8) + "abc", "are left");
    check_refused("\x96" + number(length, 8) + "abc", "are left");
    check_refused("\x95" + number(length, 8) + "N.", "are left");
  }
  check_refused(
      "X\xff\xff\xff\xff"
      "abc",
      "are left");
  check_refused(
      "\x8b\xff\xff\xff\x7f"
      "abc",
      "are left");
  check_refused("I" + std::string(5000, '1') + "\n.", "1024");
  // Copies of a copy: twenty doublings would be a million entries, thirty a billion.
  std::string laughs = "](NNNNNNNNe" + std::string("q\x01");
  for (int i = 0; i < 30; ++i) laughs = laughs + global("__builtin__", "set") + "h\x01\x85Rq\x02" + "0";
  CHECK(refusal(laughs + ".") == "");
  std::string pairs = "](";
  for (int i = 0; i < 20000; ++i) pairs += "K\x01K\x01\x86";
  pairs += "e\x85q\x01";
  for (int i = 0; i < 20000; ++i) pairs += "0" + global("collections", "OrderedDict") + "h\x01R";
  check_refused(pairs + ".", "instructions");
  check_refused("X" + number(17 << 20, 4) + std::string(17 << 20, 'x') + ".", "claims a text");
  PickleLimits small;
  small.bytes = 10;
  CHECK(refusal("NNNNNNNNNNNN", small).find("goes on for more than 10 bytes") != std::string::npos);
  CHECK(refusal(text("twelve bytes") + ".", small).find("12 bytes") != std::string::npos);
  // A list in itself is finite here.
  CHECK(refusal("]q\x01h\x01"
                "a.") == "");
  CHECK(peak_kib() - before < 400 << 10);
}
