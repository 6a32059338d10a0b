// The stack machine behind Pickle (pickle.h); for unpickler.cpp and pickle_globals.cpp alone.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "acol/weights/pickle.h"
#include "tensor/check.h"

namespace acol {

class Unpickler {
 public:
  Unpickler(PickleInput& in, const std::string& file, const PickleLimits& limits, Pickle& result);
  const PickleValue* run();

 private:
  using Kind = PickleValue::Kind;
  using Items = std::vector<const PickleValue*>;

  template <class... Parts>
  [[noreturn]] void fail_here(const Parts&... parts) const {
    fail(file_, ": the pickle at byte ", in_.position(), ": ", parts...);
  }
  template <class... Parts>
  void check_here(bool condition, const Parts&... parts) const {
    if (!condition) fail_here(parts...);
  }

  // The machine: unpickler.cpp.
  bool step();  // one instruction; false after STOP
  void spend(std::int64_t instructions);
  void take(void* to, std::uint64_t bytes);
  template <class T>
  T number();  // little endian
  std::string text(std::uint64_t bytes);
  std::string line();
  PickleValue& make(Kind kind);
  void push(const PickleValue& value);
  PickleValue& push_new(Kind kind);
  void push_integer(std::int64_t value);
  void push_long(std::uint64_t bytes);
  void push_decimal(std::string digits);
  void push_text(Kind kind, std::uint64_t bytes);
  void push_tuple(std::size_t items);
  const PickleValue& pop();
  PickleValue& top(Kind kind, const char* what);
  Items pop_to_mark();
  void hold(PickleValue& container, const PickleValue& item);
  void set_items(const Items& pairs);
  void remember(std::uint64_t key);
  void recall(std::uint64_t key);

  // What names mean: pickle_globals.cpp.
  void push_global(const std::string& module, const std::string& name);
  void persistent();
  void call();   // REDUCE
  void build();  // BUILD
  void make_dict(const PickleValue& arguments);
  void make_set(const PickleValue& arguments);
  void make_tensor(const PickleValue& arguments);
  std::int64_t count_of(const PickleValue& value, const char* what) const;
  std::vector<std::int64_t> counts_of(const PickleValue& value, const char* what) const;

  PickleInput& in_;
  const std::string& file_;
  const PickleLimits limits_;
  Pickle& result_;
  const std::uint64_t start_;
  std::int64_t instructions_ = 0;
  std::vector<const PickleValue*> stack_;
  std::vector<std::size_t> marks_;                    // heights of the stack
  std::map<std::uint64_t, const PickleValue*> memo_;  // no hash: the file chooses the keys
  std::map<std::string, std::size_t> storage_numbers_;
};

}  // namespace acol
