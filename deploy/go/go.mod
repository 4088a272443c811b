module linreg

go 1.19
