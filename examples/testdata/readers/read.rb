# Prints what ruby-dotenv makes of V in each of the files: a JSON array, with null
# for a file that it refuses.
require "dotenv"
require "json"

puts JSON.generate(ARGV.map { |path|
  begin
    Dotenv::Parser.call(File.read(path, encoding: "UTF-8"))["V"]
  rescue StandardError
    nil
  end
})
