use arrow_schema::{DataType, FieldRef};
use datafusion::common::Result;
use datafusion::functions_aggregate::sum::sum_udaf;
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion::logical_expr::utils::AggregateOrderSensitivity;
use datafusion::logical_expr::{
    Accumulator, AggregateUDFImpl, Documentation, GroupsAccumulator, ReversedUDAF, SetMonotonicity,
    Signature, Volatility,
};

/// `sum` whose integer sums are exact: the built-in one adds Int64 modulo 2⁶⁴ and says nothing.
///
/// Integers are widened to Decimal128(28, 0), the result is Decimal128(38, 0). A sum of 64-bit
/// numbers needs more than 10¹⁸ rows to leave it. Everything else is the built-in sum.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(super) struct ExactSum {
    signature: Signature,
}

impl Default for ExactSum {
    fn default() -> Self {
        Self {
            signature: Signature::user_defined(Volatility::Immutable),
        }
    }
}

/// Digits that hold every 64-bit number and leave ten for the sum.
const WIDENED: DataType = DataType::Decimal128(28, 0);

impl AggregateUDFImpl for ExactSum {
    fn name(&self) -> &str {
        "sum"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, argument_types: &[DataType]) -> Result<Vec<DataType>> {
        if let [argument] = argument_types {
            let value_type = match argument {
                DataType::Dictionary(_, value_type) => value_type,
                other => other,
            };
            if value_type.is_integer() || value_type.is_null() {
                return Ok(vec![WIDENED]);
            }
            if value_type.is_decimal() {
                return Ok(vec![value_type.clone()]);
            }
        }
        let fields: Vec<FieldRef> = argument_types
            .iter()
            .map(|data_type| arrow_schema::Field::new("argument", data_type.clone(), true).into())
            .collect();
        let coerced = datafusion::logical_expr::type_coercion::functions::fields_with_udf(
            &fields,
            sum_udaf().as_ref(),
        )?;
        Ok(coerced
            .iter()
            .map(|field| field.data_type().clone())
            .collect())
    }

    fn return_type(&self, argument_types: &[DataType]) -> Result<DataType> {
        sum_udaf().return_type(argument_types)
    }

    fn accumulator(&self, arguments: AccumulatorArgs) -> Result<Box<dyn Accumulator>> {
        sum_udaf().accumulator(arguments)
    }

    fn state_fields(&self, arguments: StateFieldsArgs) -> Result<Vec<FieldRef>> {
        sum_udaf().state_fields(arguments)
    }

    fn groups_accumulator_supported(&self, arguments: AccumulatorArgs) -> bool {
        sum_udaf().groups_accumulator_supported(arguments)
    }

    fn create_groups_accumulator(
        &self,
        arguments: AccumulatorArgs,
    ) -> Result<Box<dyn GroupsAccumulator>> {
        sum_udaf().create_groups_accumulator(arguments)
    }

    fn create_sliding_accumulator(
        &self,
        arguments: AccumulatorArgs,
    ) -> Result<Box<dyn Accumulator>> {
        sum_udaf().create_sliding_accumulator(arguments)
    }

    fn order_sensitivity(&self) -> AggregateOrderSensitivity {
        AggregateOrderSensitivity::Insensitive
    }

    fn reverse_expr(&self) -> ReversedUDAF {
        ReversedUDAF::Identical
    }

    fn set_monotonicity(&self, _data_type: &DataType) -> SetMonotonicity {
        SetMonotonicity::NotMonotonic
    }

    fn documentation(&self) -> Option<&Documentation> {
        None
    }
}
