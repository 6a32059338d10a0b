// Every instruction of the stack machine.
#include "acol/weights/unpickler.h"

#include <algorithm>
#include <bit>
#include <charconv>
#include <cstring>

#include "tensor/safetensors_header.h"  // shown()

namespace acol {

Unpickler::Unpickler(PickleInput& in, const std::string& file, const PickleLimits& limits, Pickle& result)
    : in_(in), file_(file), limits_(limits), result_(result), start_(in.position()) {}

const PickleValue* Unpickler::run() {
  while (step()) {
  }
  check_here(stack_.size() == 1 && marks_.empty(), "it stops with ", stack_.size(), " values instead of one");
  return stack_.front();
}

void Unpickler::spend(std::int64_t instructions) {
  instructions_ += instructions;
  check_here(instructions_ <= limits_.instructions, "more than ", limits_.instructions,
             " instructions; weights never need so many");
}

void Unpickler::take(void* to, std::uint64_t bytes) {
  check_here(bytes <= in_.remaining(), "it needs ", bytes, " bytes more, but ", in_.remaining(),
             " are left; the file is cut off or damaged");
  check_here(in_.position() - start_ + bytes <= limits_.bytes, "it goes on for more than ", limits_.bytes, " bytes");
  check_here(in_.take(to, static_cast<std::size_t>(bytes)), "reading the file failed");
}

template <class T>
T Unpickler::number() {
  static_assert(std::endian::native == std::endian::little);
  T value{};
  take(&value, sizeof value);
  return value;
}

std::string Unpickler::text(std::uint64_t bytes) {
  // Looked at before the memory is taken: a claim costs nothing.
  check_here(bytes <= in_.remaining(), "it claims a text of ", bytes, " bytes, but ", in_.remaining(),
             " are left; the file is cut off or damaged");
  check_here(bytes <= limits_.bytes, "it claims a text of ", bytes, " bytes");
  std::string result(static_cast<std::size_t>(bytes), '\0');
  take(result.data(), bytes);
  return result;
}

std::string Unpickler::line() {
  std::string result;
  for (char c = number<char>(); c != '\n'; c = number<char>()) {
    check_here(result.size() < 1024, "a line is longer than 1024 characters");
    result += c;
  }
  return result;
}

PickleValue& Unpickler::make(Kind kind) {
  result_.values_.emplace_back().kind = kind;
  return result_.values_.back();
}

void Unpickler::push(const PickleValue& value) { stack_.push_back(&value); }

PickleValue& Unpickler::push_new(Kind kind) {
  PickleValue& value = make(kind);
  push(value);
  return value;
}

void Unpickler::push_integer(std::int64_t value) { push_new(Kind::integer).integer = value; }

// Little endian, two's complement.
void Unpickler::push_long(std::uint64_t bytes) {
  std::string digits = text(bytes);
  if (digits.size() > 8) {
    push_new(Kind::big_integer).text = std::move(digits);
    return;
  }
  const bool negative = !digits.empty() && (digits.back() & 0x80) != 0;
  digits.resize(8, negative ? '\xff' : '\0');
  std::int64_t value = 0;
  std::memcpy(&value, digits.data(), 8);
  push_integer(value);
}

// "12", "12L", and the truth values "00" and "01".
void Unpickler::push_decimal(std::string digits) {
  if (digits == "00" || digits == "01") {
    push_new(Kind::boolean).integer = digits == "01";
    return;
  }
  if (digits.ends_with('L')) digits.pop_back();
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
  if (error == std::errc::result_out_of_range)
    push_new(Kind::big_integer).text = digits;
  else if (error == std::errc() && end == digits.data() + digits.size())
    push_integer(value);
  else
    fail_here(shown(digits), " is no whole number");
}

void Unpickler::push_text(Kind kind, std::uint64_t bytes) {
  std::string content = text(bytes);
  push_new(kind).text = std::move(content);
}

void Unpickler::push_tuple(std::size_t count) {
  PickleValue& tuple = make(Kind::tuple);
  Items items(count);
  for (std::size_t i = count; i-- > 0;) items[i] = &pop();
  for (const PickleValue* item : items) hold(tuple, *item);
  push(tuple);
}

const PickleValue& Unpickler::pop() {
  check_here(stack_.size() > (marks_.empty() ? 0 : marks_.back()), "it takes a value that is not there");
  const PickleValue& value = *stack_.back();
  stack_.pop_back();
  return value;
}

// The value on top, to be changed.
PickleValue& Unpickler::top(Kind kind, const char* what) {
  const bool fits = stack_.size() > (marks_.empty() ? 0 : marks_.back()) && stack_.back()->kind == kind;
  check_here(fits, "it adds to a ", what, " that is not there");
  return const_cast<PickleValue&>(*stack_.back());  // all values are this pickle's own
}

Unpickler::Items Unpickler::pop_to_mark() {
  check_here(!marks_.empty(), "a mark is missing");
  Items items(stack_.begin() + static_cast<std::ptrdiff_t>(marks_.back()), stack_.end());
  stack_.resize(marks_.back());
  marks_.pop_back();
  return items;
}

void Unpickler::hold(PickleValue& container, const PickleValue& item) {
  container.items.push_back(&item);
  if (item.is_container()) container.depth = std::max(container.depth, item.depth + 1);
  check_here(container.depth <= limits_.depth, "containers in containers, more than ", limits_.depth, " deep");
}

void Unpickler::set_items(const Items& pairs) {
  check_here(pairs.size() % 2 == 0, "a key without a value");
  PickleValue& dict = top(Kind::dict, "dictionary");
  for (const PickleValue* item : pairs) hold(dict, *item);
}

void Unpickler::remember(std::uint64_t key) {
  check_here(!stack_.empty(), "it notes a value that is not there");
  memo_[key] = stack_.back();
}

void Unpickler::recall(std::uint64_t key) {
  const auto found = memo_.find(key);
  check_here(found != memo_.end(), "it asks for the noted value ", key, ", which is not there");
  push(*found->second);
}

// Instructions in the order of Python's list: by protocol, then by what they make.
bool Unpickler::step() {
  const int code = number<std::uint8_t>();
  spend(1);
  switch (code) {
    // Numbers and constants.
    case 'N':
      push_new(Kind::none);
      break;
    case 'I':
    case 'L':
      push_decimal(line());
      break;
    case 'J':
      push_integer(number<std::int32_t>());
      break;
    case 'K':
      push_integer(number<std::uint8_t>());
      break;
    case 'M':
      push_integer(number<std::uint16_t>());
      break;
    case 0x8a:
      push_long(number<std::uint8_t>());
      break;
    case 0x8b:
      push_long(number<std::uint32_t>());
      break;
    case 0x88:
    case 0x89:
      push_new(Kind::boolean).integer = code == 0x88;
      break;
    case 'F': {
      const std::string digits = line();
      double value = 0;
      const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
      check_here(error == std::errc() && end == digits.data() + digits.size(), shown(digits), " is no number");
      push_new(Kind::real).real = value;
      break;
    }
    case 'G': {  // big endian
      const auto bits = __builtin_bswap64(number<std::uint64_t>());
      push_new(Kind::real).real = std::bit_cast<double>(bits);
      break;
    }
    // Texts. A `str` of Python 2 (T, U, S) is a text, too: its state dicts have such keys.
    case 'S': {
      std::string quoted = line();
      check_here(quoted.size() >= 2 && quoted.front() == quoted.back(), "a text without quotes");
      push_new(Kind::text).text = quoted.substr(1, quoted.size() - 2);
      break;
    }
    case 'V': {
      std::string content = line();
      push_new(Kind::text).text = std::move(content);
      break;
    }
    case 'T':
    case 'X':
      push_text(Kind::text, number<std::uint32_t>());
      break;
    case 'U':
    case 0x8c:
      push_text(Kind::text, number<std::uint8_t>());
      break;
    case 0x8d:
      push_text(Kind::text, number<std::uint64_t>());
      break;
    case 'B':
      push_text(Kind::bytes, number<std::uint32_t>());
      break;
    case 'C':
      push_text(Kind::bytes, number<std::uint8_t>());
      break;
    case 0x8e:
    case 0x96:
      push_text(Kind::bytes, number<std::uint64_t>());
      break;
    // Containers.
    case '(':
      marks_.push_back(stack_.size());
      break;
    case ')':
      push_new(Kind::tuple);
      break;
    case ']':
      push_new(Kind::list);
      break;
    case '}':
      push_new(Kind::dict);
      break;
    case 0x8f:
      push_new(Kind::set);
      break;
    case 0x85:
      push_tuple(1);
      break;
    case 0x86:
      push_tuple(2);
      break;
    case 0x87:
      push_tuple(3);
      break;
    case 't':
    case 'l':
    case 'd':
    case 0x91: {
      const Items items = pop_to_mark();
      if (code == 'd') {
        push_new(Kind::dict);
        set_items(items);
        break;
      }
      PickleValue& value = push_new(code == 't' ? Kind::tuple : code == 'l' ? Kind::list : Kind::set);
      for (const PickleValue* item : items) hold(value, *item);
      break;
    }
    case 'a': {
      const PickleValue& item = pop();
      hold(top(Kind::list, "list"), item);
      break;
    }
    case 'e':
    case 0x90: {
      const Items items = pop_to_mark();
      PickleValue& value = code == 'e' ? top(Kind::list, "list") : top(Kind::set, "set");
      for (const PickleValue* item : items) hold(value, *item);
      break;
    }
    case 's': {
      const PickleValue& value = pop();
      const PickleValue& key = pop();
      set_items({&key, &value});
      break;
    }
    case 'u':
      set_items(pop_to_mark());
      break;
    // The stack and the notes.
    case '0':
      if (!marks_.empty() && marks_.back() == stack_.size())
        marks_.pop_back();
      else
        pop();
      break;
    case '1':
      pop_to_mark();
      break;
    case '2': {
      const PickleValue& value = pop();
      push(value);
      push(value);
      break;
    }
    case 'p':
    case 'g': {
      const std::string digits = line();
      std::uint64_t key = 0;
      const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), key);
      check_here(error == std::errc() && end == digits.data() + digits.size(), shown(digits),
                 " is no number of a note");
      code == 'p' ? remember(key) : recall(key);
      break;
    }
    case 'q':
      remember(number<std::uint8_t>());
      break;
    case 'r':
      remember(number<std::uint32_t>());
      break;
    case 0x94:
      remember(memo_.size());
      break;
    case 'h':
      recall(number<std::uint8_t>());
      break;
    case 'j':
      recall(number<std::uint32_t>());
      break;
    // Names, what is asked of them, and ends.
    case 'c': {
      const std::string module = line();
      push_global(module, line());
      break;
    }
    case 0x93: {
      const PickleValue &name = pop(), &module = pop();
      check_here(name.kind == Kind::text && module.kind == Kind::text, "a name that is no text");
      push_global(module.text, name.text);
      break;
    }
    case 'i': {
      const std::string module = line();
      push_global(module, line());
      fail_here("it makes objects in a way that torch.save does not");
    }
    case 'Q':
      persistent();
      break;
    case 'R':
    case 0x81:
      call();
      break;
    case 'b':
      build();
      break;
    case 0x80: {
      const int protocol = number<std::uint8_t>();
      check_here(protocol <= 5, "protocol ", protocol, " is not known; there are 0 to 5");
      break;
    }
    case 0x95: {
      const auto frame = number<std::uint64_t>();
      check_here(frame <= in_.remaining(), "a frame of ", frame, " bytes, but ", in_.remaining(),
                 " are left; the file is cut off or damaged");
      break;
    }
    case '.':
      return false;
    default:
      fail_here("instruction ", code,
                " is not one that torch.save writes; this is no file of weights, or it is damaged");
  }
  return true;
}

}  // namespace acol
