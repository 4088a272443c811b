// Run model.onnx from Go: row, verify, bench. See README.md.
package main

import (
	"fmt"
	"os"
	"strconv"

	"linreg"
)

const usage = `usage: linreg-go row MODEL.onnx NUMBER..
       linreg-go verify BUNDLE
       linreg-go bench BUNDLE BATCH [BLOCKS]
ORT_LIB names another libonnxruntime.so than the one found when deploy/c was built.
`

func main() {
	code, err := execute(os.Args[1:])
	if err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
		code = 1
	}
	if code == 2 {
		fmt.Fprint(os.Stderr, usage)
	}
	os.Exit(code)
}

// execute returns the exit code, which is 2 for words that are no command.
func execute(words []string) (int, error) {
	if len(words) < 2 {
		return 2, nil
	}
	command, path, rest := words[0], words[1], words[2:]
	switch {
	case command == "row" && len(rest) > 0:
		return row(path, rest)
	case command == "verify" && len(rest) == 0:
		return verify(path)
	case command == "bench" && len(rest) == 1:
		return bench(path, rest[0], "100")
	case command == "bench" && len(rest) == 2:
		return bench(path, rest[0], rest[1])
	}
	return 2, nil
}

// row prints the outputs for one row of features, one number per line.
func row(path string, words []string) (int, error) {
	numbers := make([]float32, len(words))
	for index, word := range words {
		number, err := strconv.ParseFloat(word, 32)
		if err != nil {
			return 2, nil
		}
		numbers[index] = float32(number)
	}
	model, err := linreg.Open(path)
	if err != nil {
		return 1, err
	}
	defer model.Close()
	outputs, err := model.Run(linreg.NewFloat32([]int64{1, int64(len(numbers))}, numbers...))
	if err != nil {
		return 1, err
	}
	for _, output := range outputs {
		values, err := output.Float32s()
		if err != nil {
			return 1, err
		}
		for _, value := range values {
			fmt.Println(value)
		}
	}
	return 0, nil
}

func verify(bundle string) (int, error) {
	model, err := linreg.OpenBundle(bundle)
	if err != nil {
		return 1, err
	}
	defer model.Close()
	return model.Verify(bundle), nil
}

func bench(bundle, batchWord, blocksWord string) (int, error) {
	batch, batchErr := strconv.ParseUint(batchWord, 10, 20) // below 1,048,576
	blocks, blocksErr := strconv.ParseUint(blocksWord, 10, 20)
	if batchErr != nil || blocksErr != nil || batch > 1000000 || blocks > 1000000 {
		return 2, nil
	}
	model, err := linreg.OpenBundle(bundle)
	if err != nil {
		return 1, err
	}
	defer model.Close()
	return model.Bench(bundle, int(batch), int(blocks))
}
