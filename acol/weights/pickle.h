// A reader of Python's pickle format that runs nothing: it knows containers, numbers, texts and PyTorch's tensors, and
// every other thing that a pickle asks for is an Error that names it.
//
// A pickle is a program for a stack machine; two of its instructions call any function that it names, so loading one
// in Python runs what its author chose. Here a name is only compared with the few below, and what they "return" is a
// value of this tree:
//   collections.OrderedDict, defaultdict, Counter, set                  dictionaries and sets
//   torch._utils._rebuild_tensor, _rebuild_tensor_v2, _rebuild_parameter  tensors: a storage and how to walk over it
//   torch.FloatStorage ... BoolStorage, torch.Size                       types of storages, tuples
//   argparse.Namespace, NumPy's scalars, torch.device, torch.float32 ... Kind::other: known, of no use, left unread
//
// Source: the comments of Python's pickletools, protocols 0 to 5; torch.save of PyTorch 0.3 to 2.x.
#pragma once

#include <cstdint>
#include <deque>
#include <string>
#include <string_view>
#include <vector>

#include "tensor/file.h"

namespace acol {

// What a tensor's numbers lie in. Several tensors can share one.
struct PickleStorage {
  std::string key;          // its name in the file
  std::string dtype;        // "F32", "F16", "BF16", "F64", "I64", ... as safetensors has them
  std::int64_t count = 0;   // numbers in the whole storage
  std::int64_t offset = 0;  // a view (legacy files): where it begins in the storage called `key`, in numbers
  std::int64_t view = -1;   // numbers in the view, -1: it is no view
};

struct PickleTensor {
  PickleStorage storage;
  std::int64_t offset = 0;  // of the first number, in numbers from where the storage (or its view) begins
  std::vector<std::int64_t> shape, strides;  // strides in numbers, 0 or more
  std::int64_t elements() const;             // product of the shape
};

struct PickleValue {
  enum class Kind {
    none,
    boolean,
    integer,
    big_integer,
    real,
    text,
    bytes,
    tuple,
    list,
    dict,
    set,
    global,
    storage,
    tensor,
    other
  };
  Kind kind = Kind::none;
  std::int64_t integer = 0;  // boolean: 0 or 1
  double real = 0;
  std::string text;                       // text, bytes; big_integer: little endian; global, other: "module.name"
  std::vector<const PickleValue*> items;  // dict: key, value, key, value, ...
  std::vector<PickleTensor> tensor;       // one, for storage (its .storage) and tensor
  int depth = 1;                          // of the containers in it, when they were put there

  bool is_container() const;
  // The value under a text key, the last one if there are several, as in Python; null if this is no dict or has none.
  const PickleValue* find(std::string_view key) const;
};

// Where a pickle is read from: bytes in memory or a part of a file. Reads ahead by pieces.
class PickleInput {
 public:
  explicit PickleInput(std::string_view bytes) : memory_(bytes), end_(bytes.size()) {}
  PickleInput(const InputFile& file, std::uint64_t begin, std::uint64_t end) : file_(&file), at_(begin), end_(end) {}

  std::uint64_t position() const { return at_; }
  std::uint64_t remaining() const { return end_ - at_; }
  // False, and nothing is taken, if fewer are left or cannot be read.
  [[nodiscard]] bool take(void* to, std::size_t bytes);

 private:
  std::string_view memory_;
  const InputFile* file_ = nullptr;
  std::uint64_t at_ = 0, end_ = 0;
  std::string ahead_;  // bytes of the file from ahead_at_ on
  std::uint64_t ahead_at_ = 0;
};

// Far above what weights need: a state dict of a thousand tensors takes 25,000 instructions.
struct PickleLimits {
  std::uint64_t bytes = 16 << 20;
  std::int64_t instructions = 1'000'000;
  // Containers in containers. What is filled after it was put into another one escapes this; it costs nothing, as
  // nobody walks down without a limit of his own.
  int depth = 100;
};

// One value and all it holds. Values live as long as this does.
class Pickle {
 public:
  // Reads one pickle, up to and with its STOP; `in` stands behind it then. Error opening with `file`: a name that is
  // not among the above, an instruction that is unknown or does not fit the stack, an end too soon, a limit. Memory is
  // bounded by the limits, whatever counts the pickle claims.
  Pickle(PickleInput& in, const std::string& file, const PickleLimits& limits = {});
  Pickle(const Pickle&) = delete;
  Pickle& operator=(const Pickle&) = delete;

  const PickleValue& root() const { return *root_; }
  // Storages that the pickle named, in the order of their first naming.
  const std::vector<PickleStorage>& storages() const { return storages_; }

 private:
  friend class Unpickler;
  std::deque<PickleValue> values_;  // flat, so that neither depth nor cycles matter when they go
  std::vector<PickleStorage> storages_;
  const PickleValue* root_ = nullptr;
};

// "torch.LongStorage" -> "I64"; empty for anything else.
std::string dtype_of_storage(const std::string& global);

}  // namespace acol
