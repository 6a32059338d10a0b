// write_pth(): the zip format, with a pickle of the simplest instructions that say what torch.save says.
#include <minizip/zip.h>

#include <algorithm>

#include "acol/weights/pth.h"
#include "tensor/check.h"
#include "tensor/safetensors_header.h"  // shown()

namespace acol {

namespace fs = std::filesystem;

namespace {

// minizip writes to a stream that write_file_atomically() gave us, so that a half-written archive has no name.
zlib_filefunc64_def functions_on(std::ostream& out) {
  zlib_filefunc64_def functions{};
  functions.opaque = &out;
  functions.zopen64_file = [](voidpf opaque, const void*, int) -> voidpf { return opaque; };
  functions.zread_file = [](voidpf, voidpf, void*, uLong) -> uLong { return 0; };
  functions.zwrite_file = [](voidpf, voidpf s, const void* from, uLong bytes) -> uLong {
    auto& to = *static_cast<std::ostream*>(s);
    to.write(static_cast<const char*>(from), static_cast<std::streamsize>(bytes));
    return to ? bytes : 0;
  };
  functions.ztell64_file = [](voidpf, voidpf s) -> ZPOS64_T {
    return static_cast<ZPOS64_T>(static_cast<std::ostream*>(s)->tellp());
  };
  functions.zseek64_file = [](voidpf, voidpf s, ZPOS64_T offset, int origin) -> long {
    auto& to = *static_cast<std::ostream*>(s);
    to.seekp(static_cast<std::streamoff>(offset), origin == ZLIB_FILEFUNC_SEEK_SET   ? std::ios::beg
                                                  : origin == ZLIB_FILEFUNC_SEEK_CUR ? std::ios::cur
                                                                                     : std::ios::end);
    return to ? 0 : -1;
  };
  functions.zclose_file = [](voidpf, voidpf) -> int { return 0; };
  functions.zerror_file = [](voidpf, voidpf s) -> int { return static_cast<std::ostream*>(s)->good() ? 0 : 1; };
  return functions;
}

class ZipWriter {
 public:
  ZipWriter(std::ostream& out, std::string name) : name_(std::move(name)) {
    zlib_filefunc64_def functions = functions_on(out);
    zip_ = zipOpen2_64("", APPEND_STATUS_CREATE, nullptr, &functions);
    check(zip_ != nullptr, failed());
  }
  ~ZipWriter() {
    if (zip_ != nullptr) zipClose(zip_, nullptr);
  }
  ZipWriter(const ZipWriter&) = delete;
  ZipWriter& operator=(const ZipWriter&) = delete;

  void add(const std::string& path, const void* from, std::size_t bytes) {
    zip_fileinfo info{};
    info.dosDate = (1 << 21) | (1 << 16);  // 1980-01-01, the format's zero: equal contents make equal files
    const int large = bytes >= 0xFFFFFFFFu ? 1 : 0;
    check(zipOpenNewFileInZip64(zip_, path.c_str(), &info, nullptr, 0, nullptr, 0, nullptr, 0, 0, large) == ZIP_OK,
          failed());
    const auto* at = static_cast<const char*>(from);
    for (std::size_t done = 0; done < bytes;) {  // its lengths are 32 bits
      const auto piece = static_cast<unsigned>(std::min<std::size_t>(bytes - done, std::size_t{1} << 30));
      check(zipWriteInFileInZip(zip_, at + done, piece) == ZIP_OK, failed());
      done += piece;
    }
    check(zipCloseFileInZip(zip_) == ZIP_OK, failed());
  }

  void close() {
    const int status = zipClose(zip_, nullptr);
    zip_ = nullptr;
    check(status == ZIP_OK, failed());
  }

 private:
  std::string failed() const { return "cannot write " + name_ + ": writing the archive failed; is the disk full?"; }
  std::string name_;
  zipFile zip_ = nullptr;
};

// Instructions of protocol 2 (pickle.h).
class Pickler {
 public:
  Pickler() { bytes_ = "\x80\x02"; }

  void raw(std::string_view instructions) { bytes_ += instructions; }
  void global(std::string_view module, std::string_view name) {
    bytes_ += 'c';
    bytes_.append(module).append("\n").append(name).append("\n");
  }
  void text(std::string_view text) {
    bytes_ += 'X';
    little_endian(text.size(), 4);
    bytes_ += text;
  }
  void integer(std::int64_t value) {  // 0 or more
    if (value <= 0x7FFFFFFF) {
      bytes_ += 'J';
      little_endian(static_cast<std::uint64_t>(value), 4);
    } else {
      bytes_ += "\x8a\x08";
      little_endian(static_cast<std::uint64_t>(value), 8);
    }
  }
  std::string take() { return std::move(bytes_); }

 private:
  void little_endian(std::uint64_t value, int bytes) {
    for (int i = 0; i < bytes; ++i) bytes_ += static_cast<char>(value >> (8 * i));
  }
  std::string bytes_;
};

// _rebuild_tensor_v2(storage, 0, shape, strides, requires_grad = False, hooks = OrderedDict())
void put_tensor(Pickler& out, const Tensor& tensor, const std::string& key) {
  out.global("torch._utils", "_rebuild_tensor_v2");
  out.raw("((");
  out.text("storage");
  out.global("torch", "FloatStorage");
  out.text(key);
  out.text("cpu");
  out.integer(tensor.count());
  out.raw("tQ");
  out.integer(0);
  const Shape& shape = tensor.shape();
  out.raw("(");
  for (int axis = 0; axis < shape.rank(); ++axis) out.integer(shape[axis]);
  out.raw("t(");
  std::int64_t stride = tensor.count();
  for (int axis = 0; axis < shape.rank(); ++axis) {
    stride = shape[axis] == 0 ? 1 : stride / shape[axis];
    out.integer(stride);
  }
  out.raw("t\x89");
  out.global("collections", "OrderedDict");
  out.raw(")RtR");
}

}  // namespace

void write_pth(const fs::path& path, const std::vector<std::pair<std::string, Tensor>>& tensors,
               const std::map<std::string, std::string>& extras) {
  Pickler pickle;
  pickle.global("collections", "OrderedDict");
  pickle.raw(")R(");
  for (std::size_t i = 0; i < tensors.size(); ++i) {
    const auto& [name, tensor] = tensors[i];
    check(tensor.defined() && tensor.dtype() == DType::float32, "cannot write ", path.string(), ": tensor ",
          shown(name), " is not float32");
    pickle.text(name);
    put_tensor(pickle, tensor, std::to_string(i));
  }
  pickle.raw("u.");
  const std::string instructions = pickle.take();

  write_file_atomically(path, [&](std::ostream& out) {
    ZipWriter zip(out, path.string());
    const auto add = [&](const std::string& name, std::string_view content) {
      zip.add("archive/" + name, content.data(), content.size());
    };
    add("data.pkl", instructions);
    add("byteorder", "little");
    for (const auto& [name, content] : extras) add(name, content);
    for (std::size_t i = 0; i < tensors.size(); ++i) {
      const Tensor host = tensors[i].second.to_host();
      zip.add("archive/data/" + std::to_string(i), host.f32(), host.bytes());
    }
    add("version", "3\n");
    zip.close();
  });
}

}  // namespace acol
