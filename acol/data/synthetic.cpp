#include "acol/data/synthetic.h"

#include <fstream>
#include <nlohmann/json.hpp>
#include <system_error>

#include "tensor/check.h"
#include "tensor/file.h"

namespace acol {

namespace fs = std::filesystem;

namespace {

constexpr int version = 1;  // of the drawing; a set of another version is not the same set

nlohmann::json to_json(const SyntheticOptions& options, bool complete) {
  return {{"made_by", "acol synth"}, {"version", version},   {"classes", options.classes}, {"train", options.train},
          {"val", options.val},      {"size", options.size}, {"seed", options.seed},       {"complete", complete}};
}

void make_folder(const fs::path& folder) {
  std::error_code error;
  fs::create_directories(folder, error);
  check(!error, "synthetic: cannot make folder ", folder.string(), ": ", error.message());
}

// Not atomic: until synthetic.json says "complete", the whole set counts as not there.
void write_plainly(const fs::path& path, const std::string& bytes) {
  std::ofstream out(path, std::ios::binary | std::ios::trunc);
  out.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  out.close();
  check(!out.fail(), "synthetic: cannot write ", path.string());
}

// True if the finished set is there. Error if the folder holds anything that may not be overwritten.
bool is_there(const fs::path& out, const SyntheticOptions& options) {
  const fs::path file = out / "synthetic.json";
  std::error_code error;
  if (!fs::exists(out, error)) return false;
  check(fs::is_directory(out, error), "synthetic: ", out.string(), " is not a folder");
  if (!fs::exists(file, error)) {
    const bool empty = fs::is_empty(out, error);
    check(!error && empty, "synthetic: ", out.string(),
          " is not empty and was not made by acol synth; choose another folder");
    return false;
  }
  const nlohmann::json found = nlohmann::json::parse(read_file(file), nullptr, false);
  if (found == to_json(options, true)) return true;
  check(found == to_json(options, false), "synthetic: ", out.string(),
        " holds a set of other options (see its synthetic.json); choose another folder or remove it");
  return false;
}

}  // namespace

void validate(const SyntheticOptions& options) {
  check(options.classes >= 2 && options.classes <= max_synthetic_classes, "synthetic: classes must be in 2..",
        max_synthetic_classes, ", got ", options.classes);
  check(options.train >= 1 && options.train < 100000, "synthetic: train must be in 1..99999 pictures a class, got ",
        options.train);
  check(options.val >= 0 && options.val < 100000, "synthetic: val must be in 0..99999 pictures a class, got ",
        options.val);
  check(options.size >= 32 && options.size <= 1024, "synthetic: size must be in 32..1024 pixels, got ", options.size);
}

void write_synthetic(const fs::path& out, const SyntheticOptions& options,
                     const std::function<void(int done, int total)>& progress) {
  validate(options);
  const int total = options.classes * (options.train + options.val);
  if (is_there(out, options)) {
    if (progress) progress(total, total);
    return;
  }
  make_folder(out);
  write_file_atomically(out / "synthetic.json", to_json(options, false).dump(2) + "\n");

  int done = 0;
  for (int split = 0; split < 2; ++split) {
    const std::string name = split == 0 ? "train" : "val";
    const int count = split == 0 ? options.train : options.val;
    if (count == 0) continue;
    std::string boxes = "# class/file,x0,y0,x1,y1: inclusive corners in pixels\n";
    for (int label = 0; label < options.classes; ++label) {
      const std::string class_name = synthetic_class_name(label);
      make_folder(out / name / class_name);
      make_folder(out / (name + "_masks") / class_name);
      for (int index = 0; index < count; ++index) {
        const SyntheticImage drawn = draw_synthetic(options, split, label, index);
        const std::string number = std::to_string(index);
        const std::string file = class_name + "/" + std::string(5 - number.size(), '0') + number + ".png";
        write_plainly(out / name / file, encode_png(drawn.image));
        write_plainly(out / (name + "_masks") / file, encode_png_grey(drawn.mask, options.size, options.size));
        boxes += message(file, ',', drawn.box.x0, ',', drawn.box.y0, ',', drawn.box.x1, ',', drawn.box.y1, '\n');
        if (progress) progress(++done, total);
      }
    }
    write_file_atomically(out / name / "boxes.csv", boxes);
  }
  write_file_atomically(out / "synthetic.json", to_json(options, true).dump(2) + "\n");
}

}  // namespace acol
